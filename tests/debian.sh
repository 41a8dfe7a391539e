# Functions to install packages of Debian in the system. Sourced by the scripts of the suites.

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
# The variable RUNLEVEL keeps packages from starting their services.
apt_get() { as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get "$@"; }
is_installed() { dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# Installs packages, and calls `not_installed` with a sentence for each that could not be installed.
install_packages() { # LOG PACKAGE...
    local log=$1 package
    shift
    [ $# != 0 ] || return 0
    install() { apt_get install -y -qq --no-install-recommends "$@" >>"$log" 2>&1; }
    apt_get update -qq >"$log" 2>&1 || true
    # If a package is missing, apt-get installs none of them: then each is installed alone.
    install "$@" || for package in "$@"; do
        install "$package" || not_installed "Debian package $package: see $log"
    done
}
