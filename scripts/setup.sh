#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what a make target needs, and nothing twice. Usage: scripts/setup.sh run|models|test|lint|fuzz
#
# Packages come from apt (with sudo where not root), Python packages go into .venv. What is done is stamped in .venv with
# a key over everything that it depends on, so a second run only looks and returns. An interrupted run leaves no stamp
# and a marker, and the next one starts the virtual environment afresh. Exits 22 where something is missing and may not
# be installed, after naming it.
#
# TINYHIL_PYTHON: the interpreter to use [python3, or a newer python3.N where that is older than 3.10].
set -euo pipefail

readonly MISSING=22
profile=${1:-}
case $profile in
  run) extras=oracle ;;
  models) extras=oracle,models ;;
  test | fuzz) extras=oracle,models,robot,zephyr,test ;;
  lint) extras=oracle,models,robot,zephyr,test,lint ;;
  *) echo "usage: scripts/setup.sh run|models|test|lint|fuzz" >&2; exit 2 ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
stamp=$venv/.tinyhil-$profile
marker=$venv/.tinyhil-unfinished

say() { echo "set-up: $*" >&2; }

lacking=()   # apt packages
purposes=()  # what each is for
need() {     # PACKAGE PURPOSE
  lacking+=("$1")
  purposes+=("$(printf '%-32s %s' "$1" "$2")")
}

have() { command -v "$1" >/dev/null 2>&1; }

# The compiler answers with an absolute path where it has the file, and with the bare name where not.
arm_has() { [[ $(arm-none-eabi-gcc "-print-file-name=$1" 2>/dev/null) == /* ]]; }

python_fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; }

find_python() {
  python=
  if [[ -n ${TINYHIL_PYTHON:-} ]]; then
    if ! have "$TINYHIL_PYTHON"; then
      say "TINYHIL_PYTHON is $TINYHIL_PYTHON, and there is no such program."
      exit $MISSING
    fi
    if ! python_fits "$TINYHIL_PYTHON"; then
      say "TINYHIL_PYTHON is $TINYHIL_PYTHON ($("$TINYHIL_PYTHON" --version 2>&1)); tinyhil needs Python 3.10 or newer."
      exit $MISSING
    fi
    python=$TINYHIL_PYTHON
    return
  fi
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
    if have "$candidate" && python_fits "$candidate"; then
      python=$candidate
      return
    fi
  done
  if have python3; then
    say "$(python3 --version 2>&1) is too old: tinyhil needs Python 3.10 or newer. Install one, then set TINYHIL_PYTHON to it."
    exit $MISSING
  fi
}

look() {
  lacking=()
  purposes=()
  have arm-none-eabi-g++ || need gcc-arm-none-eabi "compiler of the boards' firmware"
  arm_has libc.a || need libnewlib-arm-none-eabi "C library of the boards' firmware"
  arm_has libstdc++.a || need libstdc++-arm-none-eabi-newlib "C++ headers of the boards' firmware"
  have qemu-system-arm || need qemu-system-arm "emulator of the boards"
  have g++ || need g++ "the same firmware as a host process"
  if [[ $profile == models ]]; then have espeak-ng || need espeak-ng "the words that the keyword spotter learns"; fi
  if [[ $profile == test ]]; then
    have cmake || need cmake "tests of the Zephyr module without Zephyr"
    have ninja || need ninja-build "the same"
    have dtc || need device-tree-compiler "tests of the Zephyr boards' overlays"
  fi
  # Ubuntu's is no package but a snap; without one the tests of the report's page are skipped.
  if [[ $profile == test ]] && ! have chromedriver && grep -qs '^ID=debian' /etc/os-release; then
    need chromium-driver "tests of the report's page, in its browser"
  fi
  if [[ $profile == lint ]] && ! have clang-format; then need clang-format "make lint"; fi
  if [[ $profile == fuzz ]] && ! compgen -c clang++ >/dev/null; then
    need clang "make fuzz"
    need llvm "the names in its reports"
  fi
}

look_python() {
  find_python
  if [[ -z $python ]]; then
    need python3 "tinyhil itself"
    need python3-venv "the virtual environment"
  elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    local package=python3-venv
    if [[ $python =~ python3\.[0-9]+$ ]]; then package=${BASH_REMATCH[0]}-venv; fi
    need "$package" "the virtual environment"
  fi
}

install_packages() {
  local command=(apt-get install -y --no-install-recommends "${lacking[@]}") sudo=() why=
  if ! have apt-get; then
    why="this machine has no apt-get"
  elif [[ $(id -u) != 0 ]]; then
    if ! have sudo; then
      why="this user is not root and there is no sudo"
    elif ! sudo -n true 2>/dev/null && [[ ! -t 0 ]]; then
      why="sudo wants a password and there is nobody to ask"
    else
      sudo=(sudo)
    fi
  fi
  if [[ -n $why ]]; then
    say "these packages are missing and may not be installed from here: $why."
    printf '  %s\n' "${purposes[@]}" >&2
    if have apt-get; then
      say "install them, then run make again:"
      echo "  sudo apt-get install ${lacking[*]}" >&2
    else
      say "install what corresponds to them here, then run make again."
    fi
    exit $MISSING
  fi
  say "installing ${lacking[*]}"
  local environment=(env DEBIAN_FRONTEND=noninteractive) options=(-qq -o DPkg::Lock::Timeout=300) log
  log=$(mktemp)
  apt() { "${sudo[@]}" "${environment[@]}" "$@" "${options[@]}" >>"$log" 2>&1; }
  # Package lists may be absent (a fresh container) or name versions that are gone: then fetch them and try again.
  if ! apt "${command[@]}" && ! { apt apt-get update && apt "${command[@]}"; }; then
    cat "$log" >&2
    rm -f "$log"
    say "apt-get failed. Run this by hand and see why, then run make again:"
    echo "  ${sudo[*]:+sudo }${command[*]}" >&2
    exit $MISSING
  fi
  rm -f "$log"
}

key() { { echo "$root ${TINYHIL_PYTHON:-}"; cat "$root/pyproject.toml" "${BASH_SOURCE[0]}"; } | sha256sum; }

# The virtual environment is whole, of the chosen interpreter, and was made in this very folder.
venv_fits() {
  [[ ! -e $marker ]] && [[ -x $venv/bin/python ]] || return 1
  local identity='import sys; print(sys.base_prefix, sys.version_info[:2])'
  [[ $("$venv/bin/python" -c "$identity" 2>&1) == $("$python" -c "$identity") ]] || return 1
  "$venv/bin/python" -c 'import pip' 2>/dev/null && head -n 1 "$venv/bin/pip" 2>/dev/null | grep -qF "$venv/bin/"
}

stamped() { [[ -x $venv/bin/python && -r $stamp && $(<"$stamp") == "$wanted" ]]; }

wanted=$(key)
look
if stamped; then
  if (( ${#lacking[@]} )); then install_packages; fi
  exit 0
fi
look_python
if (( ${#lacking[@]} )); then
  install_packages
  find_python
fi

exec 9<"$root"
if have flock && ! flock -n 9; then
  say "waiting for another set-up of this folder"
  flock 9
fi
if stamped; then exit 0; fi
if ! venv_fits; then
  say "virtual environment .venv with $("$python" --version 2>&1)"
  rm -rf "$venv"
  mkdir "$venv"
  : >"$marker"
  "$python" -m venv "$venv"
fi
: >"$marker"
say "Python packages: tinyhil[$extras]"
if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$root[$extras]"; then
  say "pip could not install the packages (see above). Where there is no network, point PIP_FIND_LINKS at a folder of wheels."
  exit $MISSING
fi
rm -f "$marker"
echo "$wanted" >"$stamp.new"
mv "$stamp.new" "$stamp"
