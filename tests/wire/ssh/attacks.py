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
}  # fmt: skip
