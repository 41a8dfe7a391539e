{{/* Checks that the schema cannot express: values that contradict each other. Each message says how to solve the problem. */}}
{{- define "lrs-gateway.checks" -}}
{{- $values := .Values -}}
{{- $problems := list -}}
{{- if and (not $values.redis.existingSecret) (gt (int (include "lrs-gateway.maxReplicas" .)) 1) -}}
  {{- $problems = append $problems "redis.existingSecret: more than one replica needs Redis, because without Redis each replica has its own batches: name a secret with the address of Redis, or set replicaCount to 1 and disable autoscaling" -}}
{{- end -}}
{{- if and $values.redis.existingSecret (not $values.encryptionKey.existingSecret) -}}
  {{- $problems = append $problems "encryptionKey.existingSecret: is required with Redis, because learners' data is encrypted in Redis (create a key with: openssl rand -base64 32)" -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
  {{- $problems = append $problems "autoscaling.minReplicas: must not be more than maxReplicas" -}}
{{- end -}}
{{- if not (or $values.organisations.existingSecrets $values.simulator.enabled) -}}
  {{- $problems = append $problems "organisations.existingSecrets: name at least one secret with organisations' files" -}}
{{- end -}}
{{- range $number, $issuer := $values.config.auth.issuers -}}
  {{- $place := printf "config.auth.issuers[%d]" $number -}}
  {{- $keys := len (compact (list $issuer.jwks_url $issuer.public_key_file $issuer.hmac_secret_file)) -}}
  {{- if ne $keys 1 -}}
    {{- $problems = append $problems (printf "%s: needs exactly one of jwks_url, public_key_file and hmac_secret_file" $place) -}}
  {{- end -}}
  {{- if and (or $issuer.public_key_file $issuer.hmac_secret_file) (not $values.issuers.existingSecret) -}}
    {{- $problems = append $problems (printf "issuers.existingSecret: %s names a file: name the secret that contains it" $place) -}}
  {{- end -}}
{{- end -}}
{{- if and $values.simulator.enabled (or $values.config.lrs.environment $values.config.lrs.base_url) -}}
  {{- $problems = append $problems "simulator.enabled: the simulator is the LRS of this release: remove config.lrs.environment and config.lrs.base_url" -}}
{{- end -}}
{{- if and (eq (default "" $values.config.lrs.environment) "custom") (not $values.config.lrs.base_url) -}}
  {{- $problems = append $problems "config.lrs.base_url: is required with environment custom" -}}
{{- end -}}
{{- if and (or $values.authorities.lrsKey $values.authorities.redisKey) (not $values.authorities.existingConfigMap) -}}
  {{- $problems = append $problems "authorities.existingConfigMap: name the ConfigMap that contains lrsKey and redisKey" -}}
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
