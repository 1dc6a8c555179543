#!/bin/sh
# Makes dist/keyer-python.wasm of app.py. The compiler goes into .venv.
set -eu
cd "$(dirname "$0")"

python3 -m venv .venv
.venv/bin/pip install --quiet --requirement requirements.txt
mkdir -p dist
# With WASI stubbed out: a keyer needs none of it, and a server gives it none.
.venv/bin/componentize-py --wit-path ../../wit --world keyer-plugin \
    componentize --stub-wasi app --output dist/keyer-python.wasm
