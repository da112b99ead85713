# guests/debian.sh: to be sourced by a toolchain script. Unpacks Debian packages into a folder, and finds the linkers.
#
# Nothing is installed, and no root is needed: apt-get downloads with package lists of its own, dpkg unpacks. The script
# that sources it has set `root` (of the project), `tools` (its folder) and a function `unavailable` that does not return.
# shellcheck shell=bash

: "${root:?}" "${tools:?}"

# debian_lists SUITE: sets `apt` to an apt-get that knows the packages of a suite, or of the machine's own sources (-).
debian_lists() {
    local lists=$tools/apt uri=""
    if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
        unavailable "this needs apt-get and dpkg (Debian, Ubuntu)"
    fi
    mkdir -p "$lists/state" "$lists/cache"
    apt=(apt-get -q -o "Dir::State::Lists=$lists/state" -o "Dir::Cache=$lists/cache" -o APT::Sandbox::User=root
        -o Acquire::Languages=none -o Debug::NoLocking=1)
    if [ "$1" != - ]; then
        if grep -qs '^ID=debian' /etc/os-release; then
            # The mirror that this machine uses, which is not that of its security updates.
            uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1) ||
                uri=""
            uri=${uri%/}
        fi
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${uri:-http://deb.debian.org/debian} $1 main" \
            >"$lists/sources.list"
        apt+=(-o "Dir::Etc::sourcelist=$lists/sources.list" -o Dir::Etc::sourceparts=/dev/null
            -o Acquire::Check-Valid-Until=false)
    fi
    "${apt[@]}" update >>"$tools/log" 2>&1 || unavailable "the package lists could not be fetched; see $tools/log"
}

# debian_unpack INTO PACKAGE[=VERSION]...: with the lists of `debian_lists`. Where a mirror has another version than the
# one that was tested, that is taken, and said.
debian_unpack() {
    local into=$1 package name work=$tools/apt/packages
    shift
    rm -rf "$work"
    mkdir -p "$work" "$into"
    for package in "$@"; do
        name=${package%%=*}
        if ! (cd "$work" && "${apt[@]}" download "$package") >>"$tools/log" 2>&1; then
            [ "$name" != "$package" ] || unavailable "the package $name could not be fetched; see $tools/log"
            (cd "$work" && "${apt[@]}" download "$name") >>"$tools/log" 2>&1 ||
                unavailable "the package $name could not be fetched; see $tools/log"
            echo "note: tested with $package; the mirror has $(cd "$work" && echo "${name}"_*.deb)"
        fi
    done
    for package in "$work"/*.deb; do
        dpkg -x "$package" "$into" >>"$tools/log" 2>&1 || unavailable "$package could not be unpacked; see $tools/log"
    done
    rm -rf "$work"
}

# Sets `linker` (wasm-component-ld) and `wasm_ld`, which are in rustup's toolchains.
find_linkers() {
    local toolchain dir
    linker="" wasm_ld=""
    for toolchain in "$(cd "$root" && rustc --print sysroot 2>/dev/null)" "${RUSTUP_HOME:-$HOME/.rustup}"/toolchains/*; do
        for dir in "$toolchain"/lib/rustlib/*/bin; do
            if [ -z "$linker" ] && [ -x "$dir/wasm-component-ld" ]; then linker=$dir/wasm-component-ld; fi
            if [ -z "$wasm_ld" ] && [ -x "$dir/gcc-ld/wasm-ld" ]; then wasm_ld=$dir/gcc-ld/wasm-ld; fi
        done
    done
    linker=${linker:-$(PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin command -v wasm-component-ld)} ||
        unavailable "there is no wasm-component-ld: rustup's toolchains have it; or \`cargo install wasm-component-ld\`"
    wasm_ld=${wasm_ld:-$(command -v wasm-ld || command -v wasm-ld-19)} ||
        unavailable "there is no wasm-ld: rustup's toolchains have it; Debian's package is lld-19"
}
