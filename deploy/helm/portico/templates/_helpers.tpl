{{/* Names, labels, the image, and the gateway's file. */}}

{{- define "portico.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "portico.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "portico.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "portico.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "portico.selectorLabels" -}}
app.kubernetes.io/name: {{ include "portico.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "portico.labels" -}}
{{ include "portico.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "portico.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "portico.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "portico.fullname" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "portico.secretName" -}}
{{- .Values.admin.existingSecret | default (printf "%s-admin" (include "portico.fullname" .)) }}
{{- end }}

{{/* The file: what values say, and the keys that must fit probes, Secret and grace period. */}}
{{- define "portico.config" -}}
{{- $address := printf "0.0.0.0:%d" (int .Values.admin.port) }}
{{- $admin := merge (dict "address" $address "token" "${file:/run/secrets/portico/token}") .Values.admin.config }}
{{- $drain := printf "%ds" (int .Values.shutdown.drainSeconds) }}
{{- $shutdown := dict "drain" $drain "timeout" (printf "%ds" (int .Values.shutdown.timeoutSeconds)) }}
{{- merge (dict "admin" $admin "shutdown" $shutdown) .Values.config | toYaml }}
{{- end }}

{{/* The same for every container: nothing but what it needs. */}}
{{- define "portico.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "portico.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}
