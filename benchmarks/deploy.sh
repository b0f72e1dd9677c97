#!/bin/sh
# What people write instead: fetch, a directory per commit, a link, a restart, and curl until it answers.
# It neither keeps a record nor waits for the disk, returns to nothing, and trusts the service to end.
set -eu
remote=$1 branch=$2 mirror=$3 app=$4 port=$5

git --git-dir="$mirror" fetch --quiet "$remote" "+refs/heads/$branch:refs/heads/$branch"
sha=$(git --git-dir="$mirror" rev-parse "refs/heads/$branch")
release=$app/releases/$sha
mkdir -p "$release"
git --git-dir="$mirror" --work-tree="$release" checkout --quiet --force "$sha" -- .
ln -s "releases/$sha" "$app/current.new"
mv -T "$app/current.new" "$app/current"

if [ -f "$app/pid" ]; then
    old=$(cat "$app/pid")
    kill "$old" 2>/dev/null || true
    # Until it is gone, or a zombie that nobody has taken note of.
    while grep -qs '^State:.[RSDT]' "/proc/$old/status"; do sleep 0.005; done
fi
cd "$app/current"
PORT=$port FRAISIER_SHA=$sha setsid "$PYTHON" app.py >>"$app/log" 2>&1 </dev/null &
echo $! >"$app/pid"

until [ "$(curl --silent "http://127.0.0.1:$port/" || true)" = "$sha" ]; do sleep 0.02; done
