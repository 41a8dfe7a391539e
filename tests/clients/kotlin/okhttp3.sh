#!/bin/sh
# Adapts a generated client to OkHttp 3, which Debian has. Argument: the directory of the client. The client imports names of OkHttp 4.
set -eu
client=$1/src/main/kotlin/uk/example/lrs
sed -i '/^import okhttp3\..*\.Companion\./d' "$client/infrastructure/ApiClient.kt"
sed -i 's/\.encodedPathSegments\[0\]/.encodedPathSegments()[0]/' "$client"/apis/*.kt
cp "$(dirname "$0")/OkHttp3.kt" "$client/infrastructure/"
