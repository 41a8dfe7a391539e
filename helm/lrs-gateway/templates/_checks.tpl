{{/* Checks that the schema cannot express: values that contradict each other. Each message says how to solve the problem. */}}
{{- define "lrs-gateway.checks" -}}
{{- $values := .Values -}}
{{- $problems := list -}}
{{- range list "issuers" "pods" "exposure" -}}
  {{- $problems = concat $problems (include (printf "lrs-gateway.checks.%s" .) $ | fromJsonArray) -}}
{{- end -}}
{{- if not $values.image.repository -}}
  {{- $problems = append $problems "image.repository: name the repository of your image, such as registry.example/lrs-gateway: there is no public image (docs/OPERATIONS.md, \"Run as a container\", says how to build one)" -}}
{{- end -}}
{{- if and (not $values.redis.existingSecret) (gt (int (include "lrs-gateway.maxReplicas" .)) 1) -}}
  {{- $problems = append $problems "redis.existingSecret: more than one replica needs Redis, because without Redis each replica has its own batches: name a secret with the address of Redis, or set replicaCount to 1 and disable autoscaling" -}}
{{- end -}}
{{- if and $values.redis.existingSecret (not $values.encryptionKey.existingSecret) -}}
  {{- $problems = append $problems "encryptionKey.existingSecret: is required with Redis, because learners' data is encrypted in Redis (create a key with: openssl rand -base64 32)" -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
  {{- $problems = append $problems "autoscaling.minReplicas: must not be more than maxReplicas" -}}
{{- end -}}
{{- if $values.autoscaling.enabled -}}
  {{- $metrics := dict "cpu" $values.autoscaling.targetCPUUtilizationPercentage "memory" $values.autoscaling.targetMemoryUtilizationPercentage -}}
  {{- if not (compact (values $metrics)) -}}
    {{- $problems = append $problems "autoscaling: needs targetCPUUtilizationPercentage, targetMemoryUtilizationPercentage or both" -}}
  {{- end -}}
  {{- range $resource, $target := $metrics -}}
    {{- if and $target (not (dig "requests" $resource "" $values.resources)) -}}
      {{- $problems = append $problems (printf "resources.requests.%s: is required, because the autoscaler's target is a percentage of it" $resource) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if not (or $values.organisations.existingSecrets $values.simulator.enabled) -}}
  {{- $problems = append $problems "organisations.existingSecrets: name at least one secret with organisations' files" -}}
{{- end -}}
{{- if and $values.simulator.enabled (or $values.config.lrs.environment $values.config.lrs.base_url) -}}
  {{- $problems = append $problems "simulator.enabled: the simulator is the LRS of this release: remove config.lrs.environment and config.lrs.base_url" -}}
{{- end -}}
{{- if and (eq (default "" $values.config.lrs.environment) "custom") (not $values.config.lrs.base_url) -}}
  {{- $problems = append $problems "config.lrs.base_url: is required with environment custom" -}}
{{- end -}}
{{- if and $values.config.lrs.base_url (ne (default "" $values.config.lrs.environment) "custom") -}}
  {{- $problems = append $problems "config.lrs.base_url: is allowed with environment custom only" -}}
{{- end -}}
{{- if and (or $values.authorities.lrsKey $values.authorities.redisKey) (not $values.authorities.existingConfigMap) -}}
  {{- $problems = append $problems "authorities.existingConfigMap: name the ConfigMap that contains lrsKey and redisKey" -}}
{{- end -}}
{{- $limit := dig "limits" "memory" "" $values.resources | toString -}}
{{- if regexMatch "^[0-9]+[MG]i$" $limit -}}
  {{- $limitMib := ternary (mul 1024 (trimSuffix "Gi" $limit | int)) (trimSuffix "Mi" $limit | int) (hasSuffix "Gi" $limit) -}}
  {{- $bodiesMib := div (mul 5 (add 16 ($values.config.server.max_request_memory_mib | default 128 | int))) 2 -}}
  {{- $connectionsMib := div (mul 224 ($values.config.server.max_connections | default 2000 | int)) 1024 -}}
  {{- $neededMib := add 128 $bodiesMib $connectionsMib -}}
  {{- if lt (int $limitMib) (int $neededMib) -}}
    {{- $problems = append $problems (printf "resources.limits.memory: the gateway may need %d MiB with this config.server (docs/SERVER.md, \"Memory\"): raise the limit, or lower max_connections or max_request_memory_mib" (int $neededMib)) -}}
  {{- end -}}
{{- end -}}
{{- $drain := $values.config.server.drain_seconds | default 5 | int -}}
{{- if hasKey $values.config.server "drain_seconds" -}}{{- $drain = int $values.config.server.drain_seconds -}}{{- end -}}
{{- $shutdownSeconds := add $drain (mul 2 ($values.config.lrs.timeout_seconds | default 30 | int)) 10 -}}
{{- if lt (int $values.terminationGracePeriodSeconds) (int $shutdownSeconds) -}}
  {{- $problems = append $problems (printf "terminationGracePeriodSeconds: the gateway may need %d seconds to shut down (config.server.drain_seconds, plus twice config.lrs.timeout_seconds, plus 10)" (int $shutdownSeconds)) -}}
{{- end -}}
{{- if $problems -}}
  {{- fail (printf "\n\nThese values contradict each other:\n  * %s\n" (join "\n  * " $problems)) -}}
{{- end -}}
{{- end }}

{{/* Checks of identity providers, by the rules of the gateway, which would not start. Returns a JSON list of problems. */}}
{{- define "lrs-gateway.checks.issuers" -}}
{{- $values := .Values -}}
{{- $problems := list -}}
{{- $names := list -}}
{{- range $number, $issuer := $values.config.auth.issuers -}}
  {{- $place := printf "config.auth.issuers[%d]" $number -}}
  {{- $name := list $issuer.issuer $issuer.audience -}}
  {{- if has $name $names -}}
    {{- $problems = append $problems (printf "%s: another item has the issuer %s with the audience %s already" $place $issuer.issuer $issuer.audience) -}}
  {{- end -}}
  {{- $names = append $names $name -}}
  {{- if and $issuer.user_strip_domain (not $issuer.user_domains) -}}
    {{- $problems = append $problems (printf "%s.user_domains: is required with user_strip_domain" $place) -}}
  {{- end -}}
  {{- $keys := len (compact (list $issuer.jwks_url $issuer.public_key_file $issuer.hmac_secret_file)) -}}
  {{- if ne $keys 1 -}}
    {{- $problems = append $problems (printf "%s: needs exactly one of jwks_url, public_key_file and hmac_secret_file" $place) -}}
  {{- else if $issuer.hmac_secret_file -}}
    {{- if without (default list $issuer.algorithms) "HS256" -}}
      {{- $problems = append $problems (printf "%s.algorithms: with hmac_secret_file the only algorithm is HS256" $place) -}}
    {{- end -}}
  {{- else if not $issuer.algorithms -}}
    {{- $problems = append $problems (printf "%s.algorithms: is required with jwks_url and public_key_file" $place) -}}
  {{- else if has "HS256" $issuer.algorithms -}}
    {{- $problems = append $problems (printf "%s.algorithms: HS256 is allowed with hmac_secret_file only" $place) -}}
  {{- end -}}
  {{- range $setting := list "jwks_ca_certificate_file" "jwks_refresh_seconds" "jwks_cooldown_seconds" -}}
    {{- if and (hasKey $issuer $setting) (not $issuer.jwks_url) -}}
      {{- $problems = append $problems (printf "%s.%s: is allowed with jwks_url only" $place $setting) -}}
    {{- end -}}
  {{- end -}}
  {{- if and (or $issuer.public_key_file $issuer.hmac_secret_file $issuer.jwks_ca_certificate_file) (not $values.issuers.existingSecret) -}}
    {{- $problems = append $problems (printf "issuers.existingSecret: %s names a file: name the secret that contains it" $place) -}}
  {{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end }}

{{/* Checks of what the values add to pods. Returns a JSON list of problems. */}}
{{- define "lrs-gateway.checks.pods" -}}
{{- $values := .Values -}}
{{- $problems := list -}}
{{- $own := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" -}}
{{- range $key, $_ := $values.commonLabels -}}
  {{- if has $key $own -}}{{- $problems = append $problems (printf "commonLabels: the chart sets %s itself" $key) -}}{{- end -}}
{{- end -}}
{{- range $key, $_ := $values.podLabels -}}
  {{- if or (has $key $own) (hasKey $values.commonLabels $key) (eq $key "app.kubernetes.io/part-of") -}}
    {{- $problems = append $problems (printf "podLabels: the chart or commonLabels sets %s" $key) -}}
  {{- end -}}
{{- end -}}
{{- range $key, $_ := $values.podAnnotations -}}
  {{- if has $key (list "checksum/config" "checksum/references") -}}{{- $problems = append $problems (printf "podAnnotations: the chart sets %s itself" $key) -}}{{- end -}}
{{- end -}}
{{- $taken := list "config" "organisations" "issuers" "store" "audit" "audit-file" "tls" "authorities" -}}
{{- range $values.extraVolumes -}}
  {{- if has .name $taken -}}{{- $problems = append $problems (printf "extraVolumes: %s is the name of another volume: choose another name" .name) -}}{{- end -}}
  {{- $taken = append $taken .name -}}
{{- end -}}
{{- range $values.extraVolumeMounts -}}
  {{- if not (has .name $taken) -}}{{- $problems = append $problems (printf "extraVolumeMounts: there is no volume %s: add it to extraVolumes" .name) -}}{{- end -}}
{{- end -}}
{{- $names := list "gateway" -}}
{{- range concat $values.initContainers $values.extraContainers -}}
  {{- if has .name $names -}}{{- $problems = append $problems (printf "initContainers and extraContainers: %s is the name of another container: choose another name" .name) -}}{{- end -}}
  {{- $names = append $names .name -}}
{{- end -}}
{{- with $values.auditFile -}}
{{- if .enabled -}}
  {{- if eq (toString $values.config.audit.enabled) "false" -}}
    {{- $problems = append $problems "auditFile.enabled: config.audit.enabled is false, so there is no audit trail: remove one of them" -}}
  {{- end -}}
  {{- if and .emptyDir .existingClaim -}}
    {{- $problems = append $problems "auditFile.emptyDir: must be false with auditFile.existingClaim" -}}
  {{- end -}}
  {{- if and (include "lrs-gateway.auditFile.singlePod" $) (gt (int (include "lrs-gateway.maxReplicas" $)) 1) -}}
    {{- $problems = append $problems (printf "auditFile.accessMode: more than one replica needs ReadWriteMany, because pods on other nodes cannot mount a volume that is %s" .accessMode) -}}
  {{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end }}

{{/* Checks of how callers outside the cluster reach the API. Returns a JSON list of problems. */}}
{{- define "lrs-gateway.checks.exposure" -}}
{{- $values := .Values -}}
{{- $problems := list -}}
{{- if and $values.ingress.enabled (not $values.ingress.hosts) -}}
  {{- $problems = append $problems "ingress.hosts: name at least one host" -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
  {{- $problems = append $problems "httpRoute.parentRefs: name at least one Gateway" -}}
{{- end -}}
{{- if and (or $values.ingress.enabled $values.httpRoute.enabled) $values.networkPolicy.enabled (not $values.networkPolicy.apiFrom) -}}
  {{- $problems = append $problems "networkPolicy.apiFrom: name the pods or addresses of your ingress controller or gateway: the network policy would block them" -}}
{{- end -}}
{{- if and $values.simulator.enabled (not $values.simulator.existingTokenSecret) (or $values.ingress.enabled $values.httpRoute.enabled (ne $values.service.type "ClusterIP")) -}}
  {{- $problems = append $problems "simulator.existingTokenSecret: is required for a sandbox that can be called from outside the cluster, because its own key is not secret" -}}
{{- end -}}
{{- toJson $problems -}}
{{- end }}
