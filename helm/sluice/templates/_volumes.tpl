{{- define "sluice.volumes" -}}
- name: run
  emptyDir:
    sizeLimit: 64Mi
{{- if and .Values.ledger.enabled (not .Values.persistence.enabled) }}
- name: ledger
  emptyDir:
    sizeLimit: {{ .Values.ledger.size }}
{{- end }}
{{- if include "sluice.asksApi" . }}
{{ include "sluice.apiAccess" . }}
{{- end }}
{{- with .Values.policy.mounted }}
- name: policy
  configMap:
    name: {{ . }}
{{- end }}
{{- with .Values.policy.url.tokenSecret }}
- name: policy-token
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .Values.catalog.configMap }}
- name: catalog
  configMap:
    name: {{ . }}
{{- end }}
{{- if eq .Values.shape "sidecar" }}
- name: sidecar
  configMap:
    name: {{ include "sluice.fullname" . }}-sidecar
{{- end }}
{{- if has (include "sluice.webhookTls" .) (list "existing" "certManager") }}
- name: webhook
  secret:
    secretName: {{ default (printf "%s-webhook" (include "sluice.fullname" .)) .Values.webhooks.existingSecret }}
{{- end }}
{{- if has (include "sluice.egressTls" .) (list "existing" "certManager") }}
{{- $secret := default (printf "%s-egress" (include "sluice.fullname" .)) .Values.egress.names.existingSecret }}
- name: egress
  secret:
    secretName: {{ $secret }}
    items:
      - key: tls.crt
        path: tls.crt
      - key: tls.key
        path: tls.key
- name: egress-ca
  secret:
    secretName: {{ $secret }}
    items:
      - key: ca.crt
        path: ca.crt
{{- end }}
{{- if .Values.egress.names.enabled }}
{{- range $index, $ca := .Values.egress.names.extraCas }}
{{- if eq (empty $ca.configMap) (empty $ca.secret) }}{{ fail "egress.names.extraCas: each is a configMap or a secret" }}{{ end }}
- name: extra-ca-{{ $index }}
  {{- if $ca.configMap }}
  configMap:
    name: {{ $ca.configMap }}
  {{- else }}
  secret:
    secretName: {{ $ca.secret }}
  {{- end }}
    items:
      - key: {{ default "ca.crt" $ca.key }}
        path: ca.pem
{{- end }}
{{- end }}
{{- range .Values.credentials }}
- name: {{ printf "credential-%s" (.secret | sha256sum | trunc 12) }}
  secret:
    secretName: {{ .secret }}
{{- end }}
{{- range (include "sluice.secretFiles" . | fromJson).files }}
- name: secret-{{ .what }}
  secret:
    secretName: {{ .secret }}
    items:
      {{- range .keys }}
      - key: {{ . }}
        path: {{ . }}
      {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
