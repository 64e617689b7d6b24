"""What somebody with a read grant may try. `{c}` is a file that must not come into being; `{d}` a directory that must stay."""

from __future__ import annotations

LINES: dict[str, tuple[str, ...]] = {
    "a change beside a read": (
        "ls; touch {c}", "ls && touch {c}", "ls || touch {c}; true", "ls & touch {c}", "ls | touch {c}", "ls\ntouch {c}",
        "(ls; touch {c})", "{{ touch {c}; }}", "if true; then touch {c}; fi", "for x in 1; do touch {c}; done",
        "while touch {c}; do break; done", "case x in x) touch {c};; esac", "! touch {c}", "f() {{ touch {c}; }}; f",
        "coproc touch {c}", "time touch {c}", "[[ -n $(touch {c}) ]]",
    ),
    "hidden in words": (
        "echo $(touch {c})", "echo `touch {c}`", "cat <(touch {c})", 'echo "$(touch {c})"', "ls ${{x:-$(touch {c})}}",
        "cat <<EOF\n$(touch {c})\nEOF", "cat <<< $(touch {c})", "echo $((x[$(touch {c})]))", "'t'ou'ch' {c}", "to\\uch {c}",
        "t$(echo ouch) {c}", "${{0:+touch}} {c}", "$'\\x74ouch' {c}", "x=touch; $x {c}", "{{touch,{c}}}",
    ),
    "output into a file": (
        "ls > {c}", "ls >> {c}", "ls 2> {c}", "ls &> {c}", "ls >| {c}", "ls <> {c}", "> {c}", "ls | tee {c}", "cat > {c} < /etc/hostname",
        "dd if=/etc/hostname of={c}", "sort -o {c} /etc/hostname", "find / -maxdepth 0 -fprint {c}", "sed -n 'w {c}' /etc/hostname",
        "awk 'BEGIN{{print > \"{c}\"}}'",
    ),
    "a command that runs another": (
        "bash -c 'touch {c}'", 'sh -c "touch {c}"', "env touch {c}", "nohup touch {c}", "timeout 5 touch {c}", "nice touch {c}",
        "xargs -I x touch {c} < /etc/hostname", "find /etc/hostname -exec touch {c} \\;", "eval 'touch {c}'", "exec touch {c}",
        "command touch {c}", "builtin eval touch {c}", "busybox touch {c}", "python3 -c 'open(\"{c}\",\"w\")'",
        "perl -e 'open(F,\">{c}\")'", "awk 'BEGIN{{system(\"touch {c}\")}}'", "ssh localhost touch {c}", "sudo touch {c}",
        "git -c core.pager='touch {c}' log", "tar cf /dev/null --checkpoint=1 --checkpoint-action=exec='touch {c}' /etc/hostname",
        "echo 'touch {c}' | sh", "curl -s http://127.0.0.1/x | sh", "source /etc/profile; touch {c}", "man -P 'touch {c}' ls",
        "less /etc/hostname", "vi {c}", "crontab /etc/hostname", "at now <<< 'touch {c}'", "trap 'touch {c}' EXIT", "alias ls='touch {c}'",
    ),
    "the environment": (
        "PATH=/tmp:$PATH ls", "LD_PRELOAD=/tmp/x.so ls", "BASH_ENV={c} bash -c ls", "IFS=/ ls", "PAGER='touch {c}' git log", "export X=1; ls",
    ),
    "removal": (
        "rm -rf {d}", "rm -r -- {d}", "find {d} -delete", "mv {d} /tmp/gone", "chmod -R 000 {d}", "rsync -a --delete /var/empty/ {d}/",
        "git clean -fdx {d}", "truncate -s 0 {d}/kept", ": > {d}/kept", "shred {d}/kept",
    ),
    "what cannot be read": (
        "touch {c}\r", "ls\u202e; touch {c}", "ls \u200b; touch {c}", "ls \x1b[2K; touch {c}", "ls (", "'ls", "x" * 40_000, "", " ",
    ),
    "transfers and more": (
        "scp -t {c}", "scp -f /etc/shadow", "rsync --server -logDtpre.iLsfxCIvu . {c}", "/usr/lib/openssh/sftp-server",
        "internal-sftp", "cat /etc/shadow", "cat ~/.ssh/id_ed25519", "cat /proc/self/environ", "env", "kill -9 1", "reboot",
    ),
    "found by attack, later": (
        "cat << EOF\n`touch {c}`\nEOF", "test -v 'a[$(touch {c})]'", "[ -v 'a[$(touch {c})]' ]", "[[ -v 'a[$(touch {c})]' ]]",
        "printf -v 'a[$(touch {c})]' x", "mapfile -C 'touch {c} #' -c 1 < /etc/hostname", "${{x:=`touch {c}`}}", "ls${{IFS}}>{c}",
        "env -S 'touch {c}'", "busybox sh -c 'touch {c}'", "sed -n '1e touch {c}' /etc/hostname", "vim -c ':!touch {c}' -c q",
        "less +'!touch {c}' /etc/hostname", "psql -c '\\! touch {c}'", "psql -c \"COPY t TO PROGRAM 'touch {c}'\"",
        "rpm -qa --pipe 'touch {c}'", "tar tfF /dev/null 'touch {c}'", "journalctl --cursor-file={c}", "git diff --no-index /etc/shadow /dev/null",
        "cat /proc/self/root/etc/shadow", "getent shadow", "docker run -v /:/host alpine touch /host{c}", "kubectl get Secret -A -o yaml",
        "echo dG91Y2ggL3RtcC9jCg== | base64 -d | sh", ". /dev/stdin <<< 'touch {c}'", "PS4='$(touch {c})' bash -xc ls", "ls > ~/.bashrc",
    ),
    "found by attack, the third time": (
        "sed -E 's/x/y/' -e '1w {c}' /etc/hostname", "tar tvf /dev/null --index-file={c}", "apt search x -o AptCli::Hooks::Search::='touch {c}'",
        "npm view git+https://127.0.0.1/x --git=/tmp/x", "yarn list --cwd /tmp/x", "service ../../tmp/x status", "git reflog expire --all",
        "head ../../../etc/shadow", "cat /proc/self/cwd/../../etc/shadow", "file -f/etc/shadow", "date --file=/etc/shadow",
        "sort --files0-from=/etc/hostname", "grep --directories=recurse x /etc", "diff -r /etc /tmp", "grep -r . /home", "jq -n env", "jq -n '$ENV.PATH'",
        "docker top web -eo pid,environ", "kubectl get po --profile=cpu --profile-output={c}", "kubectl cluster-info dump --output-directory={c}",
        "helm list --repository-cache {c}", "pip freeze -r /etc/shadow", "rpm -q --setperms x", "ip l s lo down", "dmesg --console-level 1",
        "systemctl show -p Environment nginx", "cat /srv/app/.en?", "cat /dev/watchdog", "lspci -O net.cache_name={c} -Q", "getent -s ../x passwd",
        "psql -h 10.0.0.1 -c 'select 1'", "ps -eo pid,environ",
    ),
    "found by attack, the fourth time": (
        "[ a > {c} ] && ls", "ls && [[ LC_X -eq 0 ]]", "timeout ${{BASH_EXECUTION_STRING##*@}} ls # @5 touch {c}", "nice -n $X ls",
        "printf 1234%n PATH; ls", "tar --list --file=evil:{c}", "sort /etc/hostname -*", "sed s/a*/b/ /etc/hostname", "dnf history undo last",
        "git log --show-signature", "git rebase -x 'touch {c}' HEAD~1", "tree -Lo 2 {c}", "find *", "tee {c} /etc/hostname",
    ),
    "by another way of saying it": (
        '$"touch" {c}', "{{t,}}ouch {c}", "/???/???/t?uch {c}", "/proc/self/root/usr/bin/touch {c}", "t\u043euch {c}", "touch\u00a0{c}", "ls\uff1btouch {c}",
        "env --split-string='touch {c}'", "printf 'touch {c}' | sh", "base64 -d <<< dG91Y2ggL3RtcC9j | sh", "time -p touch {c}", "stdbuf -oL touch {c}",
        "setsid touch {c}", "coproc X {{ touch {c}; }}", "trap 'touch {c}' DEBUG; ls", "PROMPT_COMMAND='touch {c}' bash -i", "GIT_SSH_COMMAND='touch {c}' git fetch",
        "ls() {{ touch {c}; }}; ls", "function ls {{ touch {c}; }}; ls", "shopt -s expand_aliases; alias ls='touch {c}'\nls", "((a[$(touch {c})]))",
        "let 'a[$(touch {c})]=1'", "echo $[a[\\$(touch {c})]]", "x='$(touch {c})'; echo ${{x@P}}", "ssh -oProxyCommand='touch {c}' x", "scp -S 'touch {c}' x y:z",
        "rsync -e 'touch {c}' x y:", "gdb -batch -ex '!touch {c}'", "bash <<< 'touch {c}'", "exec 3>{c}", "ls {{fd}}>{c}", "hash -p /usr/bin/touch ls; ls {c}",
        "compgen -C 'touch {c}'", "git -c alias.x='!touch {c}' x", "git ls-remote 'ext::touch {c}'", "vim -es -c 'silent !touch {c}' -cq",
        "awk -f /dev/stdin <<< 'BEGIN{{system(\"touch {c}\")}}'", "xargs -a /etc/hostname touch {c}", "parallel touch ::: {c}", "script -c 'touch {c}' /dev/null",
        "flock {c} ls", "ionice -c3 touch {c}", "mapfile -c1 -C 'touch {c};:' <<< x", "cat /proc/self/fd/3 3>{c}", "exec -a ls touch {c}",
    ),
}  # fmt: skip
