#!/bin/sh
# What tests need that no Python package has, installed where that may be done; tests that lack it say so.
PATH="$PATH:/usr/sbin"
for needed in strace:strace chromium:chromium nginx:nginx-light systemd-analyze:systemd faketime:faketime ip:iproute2; do
  package=${needed#*:}
  command -v "${needed%:*}" > /dev/null && continue
  [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null || continue
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends "$package" > /dev/null || echo "$package could not be installed"
done
exit 0
