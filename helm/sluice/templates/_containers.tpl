{{- define "sluice.container" -}}
{{- $gateway := eq .Values.shape "gateway" -}}
- name: sluice
  image: {{ include "sluice.image" (list .Values.image .Chart.AppVersion) }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args:
    - serve
    - --policy-configmaps={{ include "sluice.policyNamespaces" . }}
    - --policy-selector={{ .Values.policy.selector }}
    - --admin=0.0.0.0:{{ int64 .Values.ports.admin }}
    - --log-level={{ .Values.logLevel }}
    - --ledger={{ if .Values.ledger.enabled }}/var/lib/sluice/ledger.db{{ else }}off{{ end }}
    - --grace={{ if $gateway }}5{{ else }}{{ int64 .Values.drainSeconds }}{{ end }}
    {{- if $gateway }}
    - --listen=unix:/run/sluice/sluice.sock
    - --envoy-config=/run/sluice/envoy
    - --envoy-listen=0.0.0.0:{{ int64 .Values.envoy.port }}
    - --envoy-status=0.0.0.0:{{ int64 .Values.envoy.statusPort }}
    - --envoy-ca={{ .Values.envoy.caFile }}
    {{- else }}
    - --listen=0.0.0.0:{{ int64 .Values.ports.extProc }}
    {{- end }}
    {{- if include "sluice.webhooks" . }}
    - --webhook=0.0.0.0:{{ int64 .Values.webhooks.port }}
    - --webhook-tls=/etc/sluice/webhook
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
  {{- with .Values.extraEnv }}
  env:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    {{- if not $gateway }}
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
    failureThreshold: 60
  readinessProbe:
    httpGet:
      path: /readyz
      port: admin
    periodSeconds: 5
  livenessProbe:
    httpGet:
      path: /healthz
      port: admin
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  lifecycle:
    preStop:
      {{- if $gateway }}
      exec:
        command: [/usr/local/bin/node, /app/src/cli/index.ts, drain, "--seconds={{ int64 .Values.drainSeconds }}"]
      {{- else }}
      sleep:
        seconds: 5
      {{- end }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    {{- include "sluice.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: run
      mountPath: /run/sluice
    - name: api-access
      mountPath: /var/run/secrets/kubernetes.io/serviceaccount
      readOnly: true
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
    - {{ max 1 (int64 .Values.drainSeconds) | quote }}
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
  readinessProbe:
    httpGet:
      path: /ready
      port: status
    periodSeconds: 5
  livenessProbe:
    tcpSocket:
      port: status
    periodSeconds: 10
    failureThreshold: 6
  lifecycle:
    preStop:
      sleep:
        seconds: {{ int64 .Values.drainSeconds }}
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
