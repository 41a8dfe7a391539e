#!/usr/bin/env bash
# Installs the generators and compilers of `make test-clients`: programs of Debian in the system, the others below target/clients/tools.
# What cannot be installed is listed in target/clients/not-installed; the clients that need it are then not run.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/tests/clients
tools=$PWD/target/clients/tools
mkdir -p "$tools/bin" "$tools/python" "$tools/node"
: >"$tools/../not-installed"
not_installed() { echo "$*" >>"$tools/../not-installed"; }
source tests/debian.sh

packages=()
command -v javac >/dev/null || packages+=(default-jdk-headless)
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3 python3-venv)
for package in libgoogle-gson-java libjakarta-annotation-api-java libokhttp-java libokio-java make mono-mcs mono-runtime \
    libmono-system-componentmodel-dataannotations4.0-cil libmono-system-net-http4.0-cil libmono-system-runtime-serialization4.0-cil \
    libmono-system-web4.0-cil libmono-system-xml-linq4.0-cil \
    php-cli php-curl php-guzzlehttp-guzzle php-mbstring ruby ruby-faraday ruby-marcel; do
    is_installed $package || packages+=($package)
done
install_packages target/clients/tools/apt.log "${packages[@]}"
tests/node.sh "$tools" >"$tools/node.log" 2>&1 || not_installed "Node.js: see target/clients/tools/node.log"
export PATH=$tools/bin:$PATH

if ! cmp -s "$here/requirements.txt" "$tools/python/requirements.txt"; then
    {
        python3 -m venv --clear "$tools/python" && "$tools/python/bin/pip" install --quiet --requirement "$here/requirements.txt" &&
            cp "$here/requirements.txt" "$tools/python/"
    } >"$tools/pip.log" 2>&1 || not_installed "PyPI packages of requirements.txt: see target/clients/tools/pip.log"
fi
if ! cmp -s "$here/package.json" "$tools/node/package.json"; then
    cp "$here/package.json" "$tools/node/"
    (cd "$tools/node" && npm install --silent) >"$tools/npm.log" 2>&1 || {
        rm "$tools/node/package.json"
        not_installed "npm packages of package.json: see target/clients/tools/npm.log"
    }
fi

# Commands under the names with which the guide calls them.
site=$(echo "$tools"/python/lib/python*/site-packages)
nswag=$tools/node/node_modules/nswag/bin/binaries
link() { ln -sfn "$2" "$tools/bin/$1"; }
link openapi-generator-cli "$tools/python/bin/openapi-generator-cli"
link openapi-generator.jar "$site/openapi_generator_cli/openapi-generator.jar"
link go "$site/go/bin/go"
link Newtonsoft.Json.dll "$nswag/Win/Newtonsoft.Json.dll"
# NSwag's program for .NET Core 2.1 needs no ASP.NET, which the package of .NET does not have.
cat >"$tools/bin/nswag" <<END
#!/bin/sh
DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 exec $site/dotnetcore2/bin/dotnet --roll-forward Major $nswag/NetCore21/dotnet-nswag.dll "\$@"
END
cat >"$tools/bin/kotlinc" <<END
#!/bin/sh
exec bash $tools/node/node_modules/kotlin-compiler/bin/kotlinc "\$@"
END
chmod +x "$tools/bin/nswag" "$tools/bin/kotlinc"
