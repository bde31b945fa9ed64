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

{{- /* What the values lack, from files/defaults.json: with --reuse-values they are those of an older chart. Every template begins with it. */}}
{{- define "sluice.defaults" -}}
{{- $values := .Values }}
{{- range $default := .Files.Get "files/defaults.json" | fromJsonArray }}
{{- $at := $values }}
{{- range $name := initial $default.path }}
{{- if not (kindIs "map" (index $at $name)) }}{{ $_ := set $at $name dict }}{{ end }}
{{- $at = index $at $name }}
{{- end }}
{{- $name := last $default.path }}
{{- if kindIs "invalid" (index $at $name) }}{{ $_ := set $at $name (deepCopy $default.value) }}{{ end }}
{{- end }}
{{- end }}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: {{ include "sluice.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sluice.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* The metadata of every object. Arguments: root, name; namespace ("-": none), labels and annotations where they are needed. */}}
{{- define "sluice.metadata" -}}
{{- $root := .root -}}
name: {{ .name }}
{{- if ne (default "" .namespace) "-" }}
namespace: {{ default $root.Release.Namespace .namespace }}
{{- end }}
labels:
  {{- mergeOverwrite (deepCopy $root.Values.commonLabels) (default dict .labels) (include "sluice.ownLabels" $root | fromYaml) | toYaml | nindent 2 }}
{{- with mergeOverwrite (deepCopy $root.Values.commonAnnotations) (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* An Ingress and an HTTPRoute to a Service. Arguments: root, name, port (number), at (the path of the values), ingress, httpRoute. */}}
{{- define "sluice.routes" -}}
{{- $args := . }}
{{- with .ingress }}
{{- if .enabled }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "sluice.metadata" (dict "root" $args.root "name" $args.name "annotations" .annotations) | nindent 2 }}
spec:
  {{- with .className }}
  ingressClassName: {{ . }}
  {{- end }}
  rules:
    - host: {{ required (printf "%singress.host is needed" $args.at) .host }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ $args.name }}
                port:
                  name: http
  {{- with .tls }}
  tls:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- with .httpRoute }}
{{- if .enabled }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "sluice.metadata" (dict "root" $args.root "name" $args.name "annotations" .annotations) | nindent 2 }}
spec:
  {{- if not .parentRefs }}{{ fail (printf "%shttpRoute.parentRefs is needed" $args.at) }}{{ end }}
  parentRefs:
    {{- toYaml .parentRefs | nindent 4 }}
  {{- with .hostnames }}
  hostnames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    - backendRefs:
        - name: {{ $args.name }}
          port: {{ $args.port }}
      {{- with .filters }}
      filters:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Sluice's own service account, as a subject. */}}
{{- define "sluice.account" -}}
- kind: ServiceAccount
  name: {{ include "sluice.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{- /* A role and its binding. Arguments: root, name, rules; namespace ("-": the whole cluster; none: the release's), subjects (none: Sluice's account). */}}
{{- define "sluice.grant" -}}
{{- $kind := ternary "ClusterRole" "Role" (eq (default "" .namespace) "-") -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  {{- include "sluice.metadata" . | nindent 2 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  {{- include "sluice.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ .name }}
subjects:
  {{- default (include "sluice.account" .root) .subjects | nindent 2 }}
{{- end }}

{{- /* A map without its nulls: `key: null` in the values takes a default away. */}}
{{- define "sluice.present" -}}
{{- $map := dict }}
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $map $key $value }}{{ end }}
{{- end }}
{{- toYaml $map }}
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

{{- /* Folders of Secrets, as JSON: {"files": [{what, secret, keys}]}; each is mounted at /etc/sluice/secrets/WHAT. */}}
{{- define "sluice.secretFiles" -}}
{{- $files := list }}
{{- range $what, $from := dict "admin-token" .Values.admin.token "mask-key" .Values.maskKey "ledger-key" .Values.ledger.key }}
{{- if $from.secret }}{{ $files = append $files (dict "what" $what "secret" $from.secret "keys" (list $from.key)) }}{{ end }}
{{- end }}
{{- range $what, $from := dict "cache-redis" .Values.cache.redis "budgets-redis" .Values.budgets.redis "ledger-postgres" .Values.ledger.postgres }}
{{- $keys := compact (list (default "" $from.passwordKey) (default "" $from.caKey)) }}
{{- if and $from.secret $keys }}{{ $files = append $files (dict "what" $what "secret" $from.secret "keys" $keys) }}{{ end }}
{{- end }}
{{- toJson (dict "files" $files) }}
{{- end }}

{{- /* Where a pod keeps what should survive its containers. */}}
{{- define "sluice.stateFolder" -}}
{{ if .Values.persistence.enabled }}/var/lib/sluice{{ else }}/run/sluice{{ end }}
{{- end }}

{{- define "sluice.workloadKind" -}}
{{ if .Values.persistence.enabled }}StatefulSet{{ else }}Deployment{{ end }}
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
{{- $secrets := list .Values.cache.redis.secret .Values.budgets.redis.secret .Values.admin.token.secret .Values.maskKey.secret .Values.ledger.key.secret .Values.ledger.postgres.secret .Values.otlp.headers.secret }}
{{- if or .Values.credentials (compact $secrets) }}{{ fail "credentials, cache.redis, budgets.redis, admin.token, maskKey, ledger.key, ledger.postgres and otlp.headers are Secrets of the release's namespace, which sidecars do not have: use shape: gateway" }}{{ end -}}
true
{{- end }}
{{- include "sluice.egress" . }}
{{- end }}

{{- define "sluice.webhooks" -}}
{{- if or .Values.webhooks.policy (include "sluice.pods" .) }}true{{ end }}
{{- end }}

{{- /* Who makes the certificate of the webhooks, and of the providers' names: own (Sluice), certManager, existing (Secret); empty where there is none. */}}
{{- define "sluice.webhookTls" -}}
{{- if include "sluice.webhooks" . }}
{{- if .Values.webhooks.existingSecret }}existing{{ else if .Values.certManager.enabled }}certManager{{ else }}own{{ end }}
{{- end }}
{{- end }}

{{- define "sluice.egressTls" -}}
{{- if .Values.egress.names.enabled }}
{{- if .Values.egress.names.existingSecret }}existing{{ else if .Values.certManager.enabled }}certManager{{ else }}own{{ end }}
{{- end }}
{{- end }}

{{- /* Set when Sluice makes certificates. */}}
{{- define "sluice.ownTls" -}}
{{- if has "own" (list (include "sluice.webhookTls" .) (include "sluice.egressTls" .)) }}true{{ end }}
{{- end }}

{{- /* Their folders. */}}
{{- define "sluice.webhookFolder" -}}
{{ ternary "/run/sluice/tls/webhook" "/etc/sluice/webhook" (eq (include "sluice.webhookTls" .) "own") }}
{{- end }}

{{- define "sluice.egressFolder" -}}
{{ ternary "/run/sluice/tls/egress" "/etc/sluice/egress" (eq (include "sluice.egressTls" .) "own") }}
{{- end }}

{{- /* Set when pods stay reachable while none is ready. */}}
{{- define "sluice.spare" -}}
{{- if .Values.service.spareEndpoints }}
{{- if ne .Values.shape "gateway" }}{{ fail "service.spareEndpoints needs shape: gateway" }}{{ end -}}
true
{{- end }}
{{- end }}

{{- /* Set when Sluice talks to the API server. */}}
{{- define "sluice.asksApi" -}}
{{- if or (include "sluice.watches" .) (include "sluice.ownTls" .) (include "sluice.spare" .) }}true{{ end }}
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

{{- define "sluice.leaveSelector" -}}
app.kubernetes.io/name: {{ include "sluice.name" . }}-leave
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sluice.testSelector" -}}
app.kubernetes.io/name: {{ include "sluice.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
