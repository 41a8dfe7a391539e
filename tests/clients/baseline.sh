#!/usr/bin/env bash
# Runs `make client-baseline`: copies the present document, and the programs of two clients, to tests/clients/v1-baseline.
set -euo pipefail
cd "$(dirname "$0")/../.."
baseline=tests/clients/v1-baseline
mkdir -p $baseline
cp openapi/openapi.json $baseline/
for client in java typescript-openapi-fetch; do
    rm -rf "${baseline:?}/$client"
    cp -R examples/clients/$client $baseline/
done
echo "The old clients are now those of the present document. They have the names v1-java and v1-typescript-openapi-fetch."
