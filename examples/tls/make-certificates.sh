#!/bin/sh
# Certificates to try the example with, into `certificates` beside this file. Run it again to renew them; the authority stays.
set -eu
mkdir -p "$(dirname "$0")/certificates"
cd "$(dirname "$0")/certificates"

if [ ! -f ca.crt ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -subj "/CN=Example authority" -keyout ca.key -out ca.crt
fi

issue() { # NAME PURPOSE NAMES
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/O=Example/CN=$1" -keyout "$1.key.new" -out "$1.csr"
  printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=%s\nsubjectAltName=%s\n' "$2" "$3" > "$1.ext"
  openssl x509 -req -days 90 -in "$1.csr" -extfile "$1.ext" -CA ca.crt -CAkey ca.key -CAcreateserial -out "$1.crt.new"
  rm "$1.csr" "$1.ext"
  # At once, and the two together: a gateway that runs may read them at any moment.
  mv "$1.key.new" "$1.key"
  mv "$1.crt.new" "$1.crt"
}

issue shop serverAuth DNS:localhost,DNS:shop.localhost,IP:127.0.0.1
issue partners serverAuth DNS:partners.localhost
issue origin serverAuth DNS:origin.internal
issue gateway clientAuth DNS:gateway.internal
issue anna clientAuth email:anna@example.com
