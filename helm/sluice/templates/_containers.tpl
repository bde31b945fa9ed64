{{- define "sluice.container" -}}
{{- $gateway := eq .Values.shape "gateway" -}}
{{- /* Every address of the pod. */}}
{{- $all := ternary "[::]" "0.0.0.0" .Values.ipv6 -}}
- name: sluice
  image: {{ include "sluice.image" (list .Values.image .Chart.AppVersion) }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- /* Starts Sluice again when it ends: a pod with a container that does not run takes no requests, whatever its Envoy could do with them. */}}
  command: [/usr/local/bin/node, /app/supervise.cjs]
  args:
    - serve
    {{- if include "sluice.watches" . }}
    - --policy-configmaps={{ include "sluice.policyNamespaces" . }}
    - --policy-selector={{ .Values.policy.selector }}
    {{- if .Values.policy.llmPolicies }}
    - --policy-kinds=configmaps,llmpolicies
    {{- end }}
    {{- if not .sidecar }}
    - --policy-status={{ .Release.Namespace }}/{{ include "sluice.fullname" . }}-status
    - --policy-rollouts={{ .Release.Namespace }}/{{ include "sluice.fullname" . }}-rollouts
    {{- end }}
    {{- if or .Values.policy.namespaces .Values.policy.allNamespaces }}
    - --policy-trusted={{ concat (list .Release.Namespace) .Values.policy.trusted | uniq | join "," }}
    {{- end }}
    {{- end }}
    {{- if .Values.policy.mounted }}
    - --policy=/etc/sluice/policy
    {{- end }}
    {{- with .Values.policy.url }}
    {{- if .address }}
    - {{ printf "--policy-url=%s" .address | quote }}
    - --policy-ttl={{ int64 .ttlSeconds }}
    {{- if .tokenSecret }}
    - --policy-token-file=/etc/sluice/policy-token/token
    {{- end }}
    {{- end }}
    {{- end }}
    {{- /* In a pod of somebody else's it is for that pod alone: no network policy of the chart's holds there. */}}
    - --admin={{ ternary "127.0.0.1" $all (default false .sidecar) }}:{{ int64 .Values.ports.admin }}
    - --metrics={{ $all }}:{{ int64 .Values.ports.metrics }}
    {{- $state := include "sluice.stateFolder" . }}
    - --budgets={{ $state }}/budgets.json
    - --state={{ $state }}/state.json
    - --policy-kept={{ $state }}/policy.json
    {{- if .Values.learning.keep }}
    - --learning-state={{ $state }}/learning.json
    {{- end }}
    {{- if and .Values.catalog.configMap .Values.catalog.source }}{{ fail "catalog.configMap and catalog.source: prices come from one of them" }}{{ end }}
    {{- if .Values.catalog.configMap }}
    - --catalog=/etc/sluice/catalog/catalog.json
    {{- else if .Values.catalog.source }}
    - --catalog={{ $state }}/catalog.json
    - {{ printf "--catalog-source=%s" .Values.catalog.source | quote }}
    - --catalog-interval={{ int64 .Values.catalog.intervalHours }}
    {{- end }}
    - --cache-memory={{ int64 .Values.cache.memoryMegabytes }}
    - --log-level={{ .Values.logLevel }}
    {{- if not .Values.ledger.postgres.secret }}
    - --ledger={{ if .Values.ledger.enabled }}/var/lib/sluice/ledger.db{{ else }}off{{ end }}
    {{- end }}
    {{- if or .Values.ledger.enabled .Values.ledger.postgres.secret }}
    - --ledger-retention={{ int64 .Values.ledger.retentionDays }}
    {{- end }}
    {{- range $flag, $what := dict "admin-token" .Values.admin.token "mask-key" .Values.maskKey "ledger-key" .Values.ledger.key }}
    {{- if $what.secret }}
    - --{{ $flag }}=/etc/sluice/secrets/{{ $flag }}/{{ $what.key }}
    {{- end }}
    {{- end }}
    {{- range $flag, $redis := dict "cache-redis" .Values.cache.redis "budgets-redis" .Values.budgets.redis }}
    {{- if and $redis.secret $redis.passwordKey }}
    - --{{ $flag }}-password-file=/etc/sluice/secrets/{{ $flag }}/{{ $redis.passwordKey }}
    {{- end }}
    {{- if and $redis.secret $redis.caKey }}
    - --{{ $flag }}-ca=/etc/sluice/secrets/{{ $flag }}/{{ $redis.caKey }}
    {{- end }}
    {{- end }}
    {{- with int64 .Values.workers }}
    {{- if gt . 1 }}
    {{- if eq $.Values.shape "extension" }}{{ fail "workers: processes share a Unix socket, which the shape extension has none of; set replicas" }}{{ end }}
    {{- if and (gt (int64 $.Values.envoy.concurrency) 0) (lt (int64 $.Values.envoy.concurrency) .) }}{{ fail "workers: each needs a thread of Envoy's; set envoy.concurrency to as many, or to 0" }}{{ end }}
    - --workers={{ . }}
    {{- end }}
    {{- end }}
    - --grace={{ if $gateway }}5{{ else }}{{ int64 .Values.drainSeconds }}{{ end }}
    {{- if $gateway }}
    - --listen=unix:/run/sluice/sluice.sock
    - --envoy-config=/run/sluice/envoy
    - --envoy-listen={{ ternary "127.0.0.1" $all (default false .sidecar) }}:{{ int64 .Values.envoy.port }}
    - --envoy-status={{ $all }}:{{ int64 .Values.envoy.statusPort }}
    - --envoy-ca={{ .Values.envoy.caFile }}
    - --envoy-version={{ .Values.envoy.version }}
    {{- with .Values.otlp.envoy }}
    - --envoy-otlp={{ . }}
    {{- end }}
    {{- if include "sluice.spare" . }}
    - --spare-endpoints={{ .Release.Namespace }}/{{ include "sluice.fullname" . }}
    {{- end }}
    {{- else if eq .Values.shape "sidecar" }}
    - --listen=unix:/run/sluice/sluice.sock
    {{- else }}
    - --listen={{ $all }}:{{ int64 .Values.ports.extProc }}
    {{- end }}
    {{- if include "sluice.webhooks" . }}
    - --webhook={{ $all }}:{{ int64 .Values.webhooks.port }}
    - --webhook-tls={{ include "sluice.webhookFolder" . }}
    {{- end }}
    {{- if include "sluice.ownTls" . }}
    - --certificates={{ .Release.Namespace }}/{{ include "sluice.fullname" . }}-tls
    - --certificates-from={{ include "sluice.fullname" . }}-ca
    {{- if and (include "sluice.webhookTls" .) (include "sluice.egressTls" .) (ne (include "sluice.webhookTls" .) (include "sluice.egressTls" .)) }}
    - --certificates-for={{ ternary "webhook" "egress" (eq (include "sluice.webhookTls" .) "own") }}
    {{- end }}
    - --certificates-days={{ int64 .Values.webhooks.certificateDays }}
    {{- if eq (include "sluice.webhookTls" .) "own" }}
    - --webhook-service={{ include "sluice.fullname" . }}-webhook.{{ .Release.Namespace }}.svc
    - --webhook-configurations={{ .Release.Namespace }}-{{ include "sluice.fullname" . }}
    {{- end }}
    {{- end }}
    {{- if eq .Values.shape "sidecar" }}
    - --sidecar-template=/etc/sluice/sidecar/sidecar.yaml
    {{- end }}
    {{- if include "sluice.egress" . }}
    - --egress-url=http://{{ include "sluice.fullname" . }}.{{ .Release.Namespace }}{{ if ne (int64 .Values.service.port) 80 }}:{{ int64 .Values.service.port }}{{ end }}
    {{- end }}
    {{- if .Values.egress.names.enabled }}
    - --egress-service={{ include "sluice.fullname" . }}.{{ .Release.Namespace }}.svc
    - --egress-hosts={{ join "," .Values.egress.names.hosts }}
    - --egress-ca={{ ternary "/run/sluice/tls/egress" "/etc/sluice/egress-ca" (eq (include "sluice.egressTls" .) "own") }}/ca.crt
    - --egress-image={{ include "sluice.image" (list .Values.image .Chart.AppVersion) }}
    {{- with .Values.webhooks.imagePullSecrets }}
    - --egress-pull-secrets={{ join "," . }}
    {{- end }}
    {{- with .Values.egress.names.extraCas }}
    {{- $files := list }}
    {{- range $index, $ca := . }}{{ $files = append $files (printf "/etc/sluice/extra-ca/%d/ca.pem" $index) }}{{ end }}
    - --egress-extra-ca={{ join "," $files }}
    {{- end }}
    - --envoy-tls-listen={{ $all }}:{{ int64 .Values.egress.names.port }}
    - --envoy-tls={{ include "sluice.egressFolder" . }}
    {{- end }}
    {{- range .Values.extraArgs }}
    - {{ . | quote }}
    {{- end }}
  {{- with include "sluice.env" . }}
  env:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    {{- if eq .Values.shape "extension" }}
    - name: ext-proc
      containerPort: {{ int64 .Values.ports.extProc }}
    {{- end }}
    - name: admin
      containerPort: {{ int64 .Values.ports.admin }}
    - name: metrics
      containerPort: {{ int64 .Values.ports.metrics }}
    {{- if include "sluice.webhooks" . }}
    - name: webhook
      containerPort: {{ int64 .Values.webhooks.port }}
    {{- end }}
  {{- $readyz := dict "path" "/readyz" "port" "metrics" }}
  {{- $goesOn := and $gateway (not .Values.policy.failClosed) }}
  {{- $startup := dict "httpGet" $readyz }}
  {{- /* In a container that is started again, the Envoy beside it goes on meanwhile: the pod is not kept out of its Service until Sluice has loaded. */}}
  {{- if $goesOn }}{{ $startup = dict "exec" (dict "command" (list "/usr/local/bin/node" "/app/started.cjs" (print "--ready=http://127.0.0.1:" (int64 .Values.ports.metrics) "/readyz") "--kept=/run/sluice/started")) }}{{ end }}
  startupProbe:
    {{- mergeOverwrite $startup (dict "periodSeconds" 1 "timeoutSeconds" 5 "failureThreshold" 60) .Values.probes.startup | toYaml | nindent 4 }}
  {{- /* Beside an Envoy that lets requests pass without Sluice, a Sluice that does not answer is no reason to take that Envoy out of the Service, or the app's pod out of the app's. */}}
  {{- if not $goesOn }}
  {{- /* Late answers of a busy node are no reason to send everything to other pods, which are as busy. */}}
  readinessProbe:
    {{- mergeOverwrite (dict "httpGet" $readyz "periodSeconds" 5 "timeoutSeconds" 5) .Values.probes.readiness | toYaml | nindent 4 }}
  {{- end }}
  {{- /* There the supervisor replaces a Sluice that hangs. The kubelet would end the container, after which Kubernetes counts the pod as not ready; above all that of a Sluice whose every start fails. */}}
  {{- if or (not $goesOn) .Values.probes.liveness }}
  livenessProbe:
    {{- mergeOverwrite (dict "httpGet" (dict "path" "/healthz" "port" "metrics") "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 6) .Values.probes.liveness | toYaml | nindent 4 }}
  {{- end }}
  {{- if not .sidecar }}
  lifecycle:
    {{- if .Values.lifecycle }}
    {{- toYaml .Values.lifecycle | nindent 4 }}
    {{- else }}
    preStop:
      {{- if $gateway }}
      exec:
        command: [/usr/local/bin/node, /app/drain.cjs, "--seconds={{ int64 .Values.drainSeconds }}"]
      {{- else }}
      sleep:
        seconds: 5
      {{- end }}
    {{- end }}
  {{- end }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    {{- include "sluice.present" .Values.securityContext | nindent 4 }}
  volumeMounts:
    - name: run
      mountPath: /run/sluice
    {{- if include "sluice.asksApi" . }}
    - name: api-access
      mountPath: /var/run/secrets/kubernetes.io/serviceaccount
      readOnly: true
    {{- end }}
    {{- if .Values.policy.mounted }}
    {{- /* A folder, not subPath: files below one are never brought up to date. */}}
    - name: policy
      mountPath: /etc/sluice/policy
      readOnly: true
    {{- end }}
    {{- if .Values.policy.url.tokenSecret }}
    - name: policy-token
      mountPath: /etc/sluice/policy-token
      readOnly: true
    {{- end }}
    {{- if eq .Values.shape "sidecar" }}
    - name: sidecar
      mountPath: /etc/sluice/sidecar
      readOnly: true
    {{- end }}
    {{- if .Values.persistence.enabled }}
    - name: state
      mountPath: /var/lib/sluice
    {{- else if .Values.ledger.enabled }}
    - name: ledger
      mountPath: /var/lib/sluice
    {{- end }}
    {{- if .Values.catalog.configMap }}
    - name: catalog
      mountPath: /etc/sluice/catalog
      readOnly: true
    {{- end }}
    {{- range (include "sluice.secretFiles" . | fromJson).files }}
    - name: secret-{{ .what }}
      mountPath: /etc/sluice/secrets/{{ .what }}
      readOnly: true
    {{- end }}
    {{- if has (include "sluice.webhookTls" .) (list "existing" "certManager") }}
    - name: webhook
      mountPath: /etc/sluice/webhook
      readOnly: true
    {{- end }}
    {{- if has (include "sluice.egressTls" .) (list "existing" "certManager") }}
    - name: egress-ca
      mountPath: /etc/sluice/egress-ca
      readOnly: true
    {{- end }}
    {{- if .Values.egress.names.enabled }}
    {{- range $index, $ca := .Values.egress.names.extraCas }}
    - name: extra-ca-{{ $index }}
      mountPath: /etc/sluice/extra-ca/{{ $index }}
      readOnly: true
    {{- end }}
    {{- end }}
    {{- range .Values.credentials }}
    - name: {{ printf "credential-%s" (.secret | sha256sum | trunc 12) }}
      mountPath: /etc/sluice/credentials/{{ .secret }}
      readOnly: true
    {{- end }}
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "sluice.env" -}}
{{- $env := list }}
{{- range $name, $from := dict "SLUICE_CACHE_REDIS" .Values.cache.redis "SLUICE_BUDGETS_REDIS" .Values.budgets.redis "SLUICE_LEDGER" .Values.ledger.postgres "OTEL_EXPORTER_OTLP_HEADERS" .Values.otlp.headers }}
{{- if $from.secret }}{{ $env = append $env (dict "name" $name "valueFrom" (dict "secretKeyRef" (dict "name" $from.secret "key" $from.key))) }}{{ end }}
{{- end }}
{{- with .Values.ledger.postgres }}
{{- if and .secret .passwordKey }}{{ $env = append $env (dict "name" "SLUICE_LEDGER_PASSWORD_FILE" "value" (printf "/etc/sluice/secrets/ledger-postgres/%s" .passwordKey)) }}{{ end }}
{{- end }}
{{- with .Values.otlp }}
{{- if .endpoint }}{{ $env = concat $env (list (dict "name" "OTEL_EXPORTER_OTLP_ENDPOINT" "value" .endpoint) (dict "name" "OTEL_EXPORTER_OTLP_PROTOCOL" "value" .protocol)) }}{{ end }}
{{- end }}
{{- if eq .Values.shape "gateway" }}{{ $env = append $env (dict "name" "SLUICE_ENVOY_MEMORY" "valueFrom" (dict "resourceFieldRef" (dict "containerName" "envoy" "resource" "limits.memory" "divisor" "1"))) }}{{ end }}
{{- if include "sluice.spare" . }}
{{- range $name, $path := dict "SLUICE_POD_NAME" "metadata.name" "SLUICE_POD_UID" "metadata.uid" "SLUICE_POD_IPS" "status.podIPs" }}
{{- $env = append $env (dict "name" $name "valueFrom" (dict "fieldRef" (dict "fieldPath" $path))) }}
{{- end }}
{{- end }}
{{- with concat $env .Values.extraEnv }}{{ toYaml . }}{{ end }}
{{- end }}

{{- /* Seconds that Envoy stays in a pod that goes. On a busy node some pass until it is told to drain, and other nodes go on sending until they know. */}}
{{- define "sluice.envoyStays" -}}
{{- add (int64 .Values.drainSeconds) 10 }}
{{- end }}

{{- define "sluice.envoyContainer" -}}
- name: envoy
  image: {{ include "sluice.image" (list .Values.envoy.image "distroless-v1.40.0") }}
  imagePullPolicy: {{ .Values.envoy.image.pullPolicy }}
  command: [envoy]
  args:
    - --config-path
    - /run/sluice/envoy/bootstrap.json
    - --concurrency
    - {{ int64 .Values.envoy.concurrency | quote }}
    - --log-level
    - {{ .Values.envoy.logLevel }}
    - --drain-strategy
    - immediate
    - --drain-time-s
    - {{ include "sluice.envoyStays" . | quote }}
    - --disable-hot-restart
    {{- range .Values.envoy.extraArgs }}
    - {{ . | quote }}
    {{- end }}
  {{- with .Values.envoy.extraEnv }}
  env:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - name: http
      containerPort: {{ int64 .Values.envoy.port }}
    {{- if .Values.egress.names.enabled }}
    - name: https
      containerPort: {{ int64 .Values.egress.names.port }}
    {{- end }}
    - name: status
      containerPort: {{ int64 .Values.envoy.statusPort }}
    {{- if include "sluice.spare" . }}
    - name: http-spare
      containerPort: {{ add1 (int64 .Values.envoy.port) }}
    {{- if .Values.egress.names.enabled }}
    - name: https-spare
      containerPort: {{ add1 (int64 .Values.egress.names.port) }}
    {{- end }}
    {{- end }}
  {{- $ready := dict "path" "/ready" "port" "status" }}
  {{- if .sidecar }}
  startupProbe:
    {{- mergeOverwrite (dict "httpGet" $ready "periodSeconds" 1 "timeoutSeconds" 5 "failureThreshold" 60) .Values.envoy.probes.startup | toYaml | nindent 4 }}
  {{- end }}
  readinessProbe:
    {{- mergeOverwrite (dict "httpGet" $ready "periodSeconds" 5 "timeoutSeconds" 5) .Values.envoy.probes.readiness | toYaml | nindent 4 }}
  livenessProbe:
    {{- mergeOverwrite (dict "tcpSocket" (dict "port" "status") "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 6) .Values.envoy.probes.liveness | toYaml | nindent 4 }}
  {{- if not .sidecar }}
  lifecycle:
    {{- if .Values.envoy.lifecycle }}
    {{- toYaml .Values.envoy.lifecycle | nindent 4 }}
    {{- else }}
    preStop:
      sleep:
        seconds: {{ include "sluice.envoyStays" . }}
    {{- end }}
  {{- end }}
  resources:
    {{- toYaml .Values.envoy.resources | nindent 4 }}
  securityContext:
    {{- include "sluice.present" .Values.securityContext | nindent 4 }}
  volumeMounts:
    - name: run
      mountPath: /run/sluice
    {{- if has (include "sluice.egressTls" .) (list "existing" "certManager") }}
    - name: egress
      mountPath: /etc/sluice/egress
      readOnly: true
    {{- end }}
    {{- with .Values.envoy.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- /* What the webhook puts into pods that ask for a gateway of their own. They end after the app's containers, so that nothing has to drain. */}}
{{- define "sluice.sidecarTemplate" -}}
{{- $values := deepCopy .Values }}
{{- $_ := set $values "shape" "gateway" }}
{{- $_ := set $values "resources" .Values.sidecar.resources }}
{{- $_ := set $values.envoy "resources" .Values.sidecar.envoyResources }}
{{- $_ := set $values.webhooks "policy" false }}
{{- $_ := set $values.ledger "enabled" false }}
{{- $_ := set $values.persistence "enabled" false }}
{{- /* What stands in the release's namespace, and volumes that the app's pod does not have. */}}
{{- $_ := set $values.catalog "configMap" "" }}
{{- $_ := set $values "extraVolumeMounts" list }}
{{- $_ := set $values.envoy "extraVolumeMounts" list }}
{{- $sidecar := dict "Values" $values "Release" .Release "Chart" .Chart "sidecar" true -}}
url: http://127.0.0.1:{{ int64 .Values.envoy.port }}
containers:
  {{- include "sluice.container" $sidecar | nindent 2 }}
    restartPolicy: Always
  {{- include "sluice.envoyContainer" $sidecar | nindent 2 }}
    restartPolicy: Always
volumes:
  - name: run
    emptyDir:
      sizeLimit: 64Mi
  {{- include "sluice.apiAccess" . | nindent 2 }}
{{- /* Envoy's own admin, which only drains it. */}}
otherPorts: [9902]
{{- with .Values.webhooks.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
