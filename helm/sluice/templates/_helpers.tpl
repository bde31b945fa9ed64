{{- define "sluice.name" -}}
{{- default "sluice" .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "sluice.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "sluice.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "sluice.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: {{ include "sluice.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sluice.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "sluice.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "sluice.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* Registry/name:tag or @digest. Arguments: image, tag where none is given. */}}
{{- define "sluice.image" -}}
{{- $image := index . 0 }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository (default (index . 1) $image.tag) }}
{{- end }}
{{- end }}

{{- /* The namespaces whose ConfigMaps are the policy: the release's own first, the others once. */}}
{{- define "sluice.policyNamespaces" -}}
{{- if .Values.policy.allNamespaces }}*{{ else }}{{ concat (list .Release.Namespace) .Values.policy.namespaces | uniq | join "," }}{{ end }}
{{- end }}

{{- /* Set when the policy is in ConfigMaps that Sluice watches, rather than mounted or all at a URL. */}}
{{- define "sluice.watches" -}}
{{- $policy := .Values.policy }}
{{- $whole := and $policy.url.address (not (regexMatch "[{](workspace|provider)[}]" $policy.url.address)) }}
{{- if and $whole $policy.mounted }}{{ fail "policy.mounted and policy.url.address: a policy is in one of them" }}{{ end }}
{{- if or $whole $policy.mounted }}
{{- if or $policy.inline $policy.namespaces $policy.allNamespaces }}{{ fail "policy.inline, policy.namespaces and policy.allNamespaces are of ConfigMaps that are watched, which they are not with policy.mounted or policy.url.address" }}{{ end }}
{{- if .Values.webhooks.policy }}{{ fail "webhooks.policy needs a policy in ConfigMaps that are watched" }}{{ end }}
{{- if eq .Values.shape "sidecar" }}{{ fail "sidecars watch ConfigMaps: policy.mounted and policy.url.address need shape: gateway or extension" }}{{ end }}
{{- else -}}
true
{{- end }}
{{- if and (eq .Values.shape "sidecar") $policy.url.tokenSecret }}{{ fail "policy.url.tokenSecret is a Secret of the release's namespace, which sidecars do not have: use shape: gateway" }}{{ end }}
{{- end }}

{{- define "sluice.containerSecurity" -}}
allowPrivilegeEscalation: false
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "sluice.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- /* Set when pods are led to this gateway, when pods are changed at all, and when there is any webhook. */}}
{{- define "sluice.egress" -}}
{{- if or .Values.egress.baseUrl .Values.egress.names.enabled }}
{{- if ne .Values.shape "gateway" }}{{ fail "egress needs shape: gateway" }}{{ end -}}
true
{{- end }}
{{- end }}

{{- define "sluice.pods" -}}
{{- if eq .Values.shape "sidecar" }}
{{- if not .Values.sidecar.namespaces }}{{ fail "shape: sidecar needs sidecar.namespaces" }}{{ end }}
{{- if or .Values.credentials .Values.cache.redis.secret .Values.budgets.redis.secret }}{{ fail "credentials, cache.redis and budgets.redis are Secrets of the release's namespace, which sidecars do not have: use shape: gateway" }}{{ end -}}
true
{{- end }}
{{- include "sluice.egress" . }}
{{- end }}

{{- define "sluice.webhooks" -}}
{{- if or .Values.webhooks.policy (include "sluice.pods" .) }}true{{ end }}
{{- end }}

{{- /* Sluice's own token for the API server, as a volume. */}}
{{- define "sluice.apiAccess" -}}
- name: api-access
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
{{- end }}

{{- /* The label and value of policy.selector, as JSON. */}}
{{- define "sluice.policyLabel" -}}
{{- $pair := splitList "=" .Values.policy.selector }}
{{- if or (ne (len $pair) 2) (contains "," .Values.policy.selector) (hasSuffix "!" (first $pair)) }}
{{- fail "policy.inline and webhooks.policy need a policy.selector of the form label=value" }}
{{- end }}
{{- toJson (dict (first $pair) (last $pair)) }}
{{- end }}
