{{- define "sluice.container" -}}
{{- $gateway := eq .Values.shape "gateway" -}}
- name: sluice
  image: {{ include "sluice.image" (list .Values.image .Chart.AppVersion) }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args:
    - serve
    {{- if include "sluice.watches" . }}
    - --policy-configmaps={{ include "sluice.policyNamespaces" . }}
    - --policy-selector={{ .Values.policy.selector }}
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
    - --admin=0.0.0.0:{{ int64 .Values.ports.admin }}
    {{- /* Both survive the container, not the pod. */}}
    - --budgets=/run/sluice/budgets.json
    - --state=/run/sluice/state.json
    - --policy-kept=/run/sluice/policy.json
    - --cache-memory={{ int64 .Values.cache.memoryMegabytes }}
    - --log-level={{ .Values.logLevel }}
    - --ledger={{ if .Values.ledger.enabled }}/var/lib/sluice/ledger.db{{ else }}off{{ end }}
    - --grace={{ if $gateway }}5{{ else }}{{ int64 .Values.drainSeconds }}{{ end }}
    {{- if $gateway }}
    - --listen=unix:/run/sluice/sluice.sock
    - --envoy-config=/run/sluice/envoy
    - --envoy-listen={{ ternary "127.0.0.1" "0.0.0.0" (default false .sidecar) }}:{{ int64 .Values.envoy.port }}
    - --envoy-status=0.0.0.0:{{ int64 .Values.envoy.statusPort }}
    - --envoy-ca={{ .Values.envoy.caFile }}
    - --envoy-version={{ .Values.envoy.version }}
    {{- else if eq .Values.shape "sidecar" }}
    - --listen=unix:/run/sluice/sluice.sock
    {{- else }}
    - --listen=0.0.0.0:{{ int64 .Values.ports.extProc }}
    {{- end }}
    {{- if include "sluice.webhooks" . }}
    - --webhook=0.0.0.0:{{ int64 .Values.webhooks.port }}
    - --webhook-tls=/etc/sluice/webhook
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
    - --egress-ca=/etc/sluice/egress-ca/ca.crt
    - --egress-image={{ include "sluice.image" (list .Values.image .Chart.AppVersion) }}
    - --envoy-tls-listen=0.0.0.0:{{ int64 .Values.egress.names.port }}
    - --envoy-tls=/etc/sluice/egress
    {{- end }}
    {{- range .Values.extraArgs }}
    - {{ . | quote }}
    {{- end }}
  {{- if or .Values.extraEnv .Values.cache.redis.secret .Values.budgets.redis.secret }}
  env:
    {{- range $name, $redis := dict "SLUICE_CACHE_REDIS" .Values.cache.redis "SLUICE_BUDGETS_REDIS" .Values.budgets.redis }}
    {{- if $redis.secret }}
    - name: {{ $name }}
      valueFrom:
        secretKeyRef:
          name: {{ $redis.secret }}
          key: {{ $redis.key }}
    {{- end }}
    {{- end }}
    {{- with .Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  ports:
    {{- if eq .Values.shape "extension" }}
    - name: ext-proc
      containerPort: {{ int64 .Values.ports.extProc }}
    {{- end }}
    - name: admin
      containerPort: {{ int64 .Values.ports.admin }}
    {{- if include "sluice.webhooks" . }}
    - name: webhook
      containerPort: {{ int64 .Values.webhooks.port }}
    {{- end }}
  startupProbe:
    httpGet:
      path: /readyz
      port: admin
    periodSeconds: 1
    timeoutSeconds: 5
    failureThreshold: 60
  {{- /* Beside an Envoy that lets requests pass without Sluice, a Sluice that does not answer is no reason to take that Envoy out of the Service, or the app's pod out of the app's. */}}
  {{- if or (not $gateway) .Values.policy.failClosed }}
  {{- /* Late answers of a busy node are no reason to send everything to other pods, which are as busy. */}}
  readinessProbe:
    httpGet:
      path: /readyz
      port: admin
    periodSeconds: 5
    timeoutSeconds: 5
  {{- end }}
  livenessProbe:
    httpGet:
      path: /healthz
      port: admin
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  {{- if not .sidecar }}
  lifecycle:
    preStop:
      {{- if $gateway }}
      exec:
        command: [/usr/local/bin/node, /app/drain.cjs, "--seconds={{ int64 .Values.drainSeconds }}"]
      {{- else }}
      sleep:
        seconds: 5
      {{- end }}
  {{- end }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    {{- include "sluice.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: run
      mountPath: /run/sluice
    {{- if include "sluice.watches" . }}
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
    {{- if .Values.ledger.enabled }}
    - name: ledger
      mountPath: /var/lib/sluice
    {{- end }}
    {{- if include "sluice.webhooks" . }}
    - name: webhook
      mountPath: /etc/sluice/webhook
      readOnly: true
    {{- end }}
    {{- if .Values.egress.names.enabled }}
    - name: egress-ca
      mountPath: /etc/sluice/egress-ca
      readOnly: true
    {{- end }}
    {{- range .Values.credentials }}
    - name: {{ printf "credential-%s" (.secret | sha256sum | trunc 12) }}
      mountPath: /etc/sluice/credentials/{{ .secret }}
      readOnly: true
    {{- end }}
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
  ports:
    - name: http
      containerPort: {{ int64 .Values.envoy.port }}
    {{- if .Values.egress.names.enabled }}
    - name: https
      containerPort: {{ int64 .Values.egress.names.port }}
    {{- end }}
    - name: status
      containerPort: {{ int64 .Values.envoy.statusPort }}
  {{- if .sidecar }}
  startupProbe:
    httpGet:
      path: /ready
      port: status
    periodSeconds: 1
    timeoutSeconds: 5
    failureThreshold: 60
  {{- end }}
  readinessProbe:
    httpGet:
      path: /ready
      port: status
    periodSeconds: 5
    timeoutSeconds: 5
  livenessProbe:
    tcpSocket:
      port: status
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  {{- if not .sidecar }}
  lifecycle:
    preStop:
      sleep:
        seconds: {{ include "sluice.envoyStays" . }}
  {{- end }}
  resources:
    {{- toYaml .Values.envoy.resources | nindent 4 }}
  securityContext:
    {{- include "sluice.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: run
      mountPath: /run/sluice
    {{- if .Values.egress.names.enabled }}
    - name: egress
      mountPath: /etc/sluice/egress
      readOnly: true
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
{{- end }}
