"""Tools of the form `tool [options] command …`: git, kubectl, docker, systemctl, package managers; and psql."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from access.statements import Effect
from proxy.sql.catalog import Catalog
from proxy.sql.classify import judge
from proxy.sql.judged import SqlSession
from proxy.sql.parse import parse
from proxy.ssh.finding import DANGER, OPAQUE, READ, WRITE, Argv, Finding, Rule, found, opaque, secret


@dataclass(frozen=True, slots=True)
class Commands:
    """`valued` are global options with a value behind them, `free` those without; any other global option is doubtful.
    `never` are options (long, in any abbreviation) that make any command run something else."""

    read: frozenset[str]
    write: frozenset[str] = frozenset()
    danger: frozenset[str] = frozenset()
    opaque: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    never: tuple[str, ...] = ()
    #: Short options that do, also behind the command.
    short: str = ""
    #: First words that need the second one to tell: `docker image ls`.
    groups: frozenset[str] = frozenset()
    #: Commands that only look while nothing stands behind them: `git branch`.
    bare: frozenset[str] = frozenset()
    #: Long options and letters that are known anywhere; with one that is not, somebody has to look. None: they are not checked.
    options: frozenset[str] | None = None
    letters: str = ""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GIT_OPTIONS = _set(
    "--oneline --graph --all --decorate --no-decorate --stat --shortstat --numstat --name-only --name-status --patch --no-patch --since --until --after "
    "--before --author --committer --grep --max-count --skip --reverse --follow --first-parent --merges --no-merges --abbrev-commit --abbrev "
    "--no-abbrev --pretty --format --date --left-right --cherry-pick --cherry-mark --topo-order --date-order --branches --tags --remotes --no-color "
    "--color --word-diff --color-words --ignore-all-space --ignore-space-change --ignore-blank-lines --ignore-space-at-eol --minimal --patience "
    "--histogram --diff-filter --find-renames --find-copies --cached --staged --summary --raw --no-renames --no-ext-diff --no-textconv --unified "
    "--short --branch --porcelain --long --ignored --untracked-files --show-toplevel --abbrev-ref --symbolic-full-name --verify "
    "--is-inside-work-tree --git-dir --absolute-git-dir --show-prefix --show-cdup --always --exact-match --contains --match --exclude --others "
    "--exclude-standard --modified --deleted --stage --unmerged --error-unmatch --full-name --full-tree --count --objects --not --no-walk "
    "--line-porcelain --root --show-email --show-name --show-number --numbered --email --list --quiet --verbose --full-index --binary --text "
    "--full-history --ancestry-path --boundary --walk-reflogs --show-current --source --ignore-submodules --exit-code --check --no-notes "
    "--message --amend --no-edit --rebase --no-rebase --ff-only --no-ff --ff --autostash --depth --prune --force --force-with-lease --no-tags "
    "--no-commit --abort --continue --quit --onto --track --no-track --detach --worktree --ours --theirs --include-untracked --keep-index "
    "--allow-empty --signoff --no-verify --dry-run --set-upstream --hard --soft --mixed --merge --squash --create --delete --annotate "
    "--no-gpg-sign --keep --update --intent-to-add --unshallow"
)
_TABLE: Mapping[str, Commands] = {
    "systemctl": Commands(
        read=_set(
            "status is-active is-enabled is-failed is-system-running list-units list-unit-files list-timers list-sockets list-jobs "
            "list-dependencies show cat get-default"
        ),
        write=_set("start stop restart reload try-restart reload-or-restart enable disable daemon-reload reset-failed clean"),
        danger=_set("poweroff reboot halt kexec rescue emergency isolate mask kill suspend hibernate set-default default exit soft-reboot"),
        free=_set("--no-pager -l --full --user -q --quiet -a --all --failed --plain --no-legend"),
        valued=_set("-t --type -n --lines -o --output -p --property"),
        never=("host", "machine", "root", "image"), short="HM",
        options=_set("--state --failed --no-block --wait --reverse --after --before --value --recursive --with-dependencies --legend --runtime --force --now"),
        letters="lqaftnpo",
    ),
    "service": Commands(read=frozenset(), opaque=frozenset()),
    "git": Commands(
        read=_set("status log diff show rev-parse describe ls-files blame shortlog reflog cat-file rev-list ls-tree"),
        write=_set("add commit pull fetch checkout switch merge rebase tag stash cherry-pick revert init restore mv"),
        danger=_set("reset clean push rm filter-branch gc prune update-ref"),
        valued=_set("-C"), free=_set("--no-pager -P --version"), bare=_set("branch remote"), options=_GIT_OPTIONS,
        letters="abcdfghilmnopqrstuvwzABCDEGHLMNPRSTUWX0123456789",
        never=("ext-diff", "output", "textconv", "exec-path", "config-env", "upload-pack", "receive-pack", "exec", "open-files-in-pager", "no-index", "contents", "filters", "pathspec-from-file"), short="O",
    ),
    "kubectl": Commands(
        read=_set("get describe logs top version cluster-info explain api-resources api-versions diff events"),
        write=_set("apply create scale rollout patch label annotate set autoscale expose cordon uncordon edit"),
        danger=_set("delete drain replace taint"),
        opaque=_set("exec run attach cp port-forward proxy debug config certificate auth plugin"),
        valued=_set("-n --namespace --context --cluster -l --selector -o --output"), free=_set("-A --all-namespaces"),
        never=("kubeconfig", "token", "server", "as", "as-group", "insecure-skip-tls-verify", "raw", "template", "patch-file"), short="s",
        options=_set(
            "--watch --watch-only --tail --since --since-time --follow --container --previous --timestamps --sort-by --show-labels --no-headers "
            "--field-selector --all-containers --prefix --ignore-not-found --chunk-size --dry-run --replicas --all --client --short --recursive "
            "--timeout --force --grace-period --cascade --label-columns --max-log-requests --limit-bytes --filename --to-revision --overwrite "
            "--containers --restart --for --types --api-group --namespaced --min --max --port --target-port --type --name --selector --wait --prune"
        ),
        letters="AwfpRLclno",
    ),
    "docker": Commands(
        read=_set("ps ls logs images stats top version info port history events search"),
        write=_set("start stop restart pause unpause pull tag rename"),
        danger=_set("rm rmi kill prune update"),
        opaque=_set("build run exec cp commit login push save load import export create compose swarm stack service plugin context inspect"),
        groups=_set("container image volume network system"), free=_set("-D --debug"),
        never=("host", "config", "context"),
        options=_set(
            "--all --filter --format --no-trunc --quiet --size --last --latest --follow --tail --since --until --timestamps --details --no-stream --limit "
            "--human --digests --time --signal --force --volumes --memory --cpus --all-tags"
        ),
        letters="aqflnstDv",
    ),
    **dict.fromkeys(("apt", "apt-get", "apt-cache", "aptitude"), Commands(
        read=_set("list show search policy depends rdepends showpkg madison"),
        write=_set("install update upgrade download build-dep reinstall"),
        danger=_set("remove purge autoremove autopurge dist-upgrade full-upgrade clean autoclean"),
        free=_set("-y --yes -q -qq --no-install-recommends -V"), never=("option", "config-file"), short="oc",
        options=_set("--installed --upgradable --all-versions --names-only --full --only-upgrade --reinstall --simulate --dry-run --assume-yes --quiet --fix-broken"),
        letters="yqVasf",
    )),
    **dict.fromkeys(("yum", "dnf"), Commands(
        read=_set("list info search provides repolist check-update history deplist"),
        write=_set("install update upgrade makecache reinstall downgrade"), danger=_set("remove erase autoremove clean swap distro-sync"),
        free=_set("-y -q --assumeyes"), never=("config", "installroot", "setopt", "repofrompath", "releasever"), short="c",
        options=_set(
            "--installed --available --all --updates --upgrades --extras --obsoletes --recent --showduplicates --enablerepo --disablerepo --repo "
            "--security --bugfix --enhancement --refresh --cacheonly --quiet --verbose --assumeyes --assumeno --best --nobest --skip-broken --allowerasing "
            "--whatprovides --requires --advisory --exclude"
        ),
        letters="yqvC",
    )),
    **dict.fromkeys(("pip", "pip3"), Commands(
        read=_set("list show freeze check"), opaque=_set("install download wheel"), danger=_set("uninstall"),
        never=("python", "log", "index-url", "extra-index-url", "find-links", "cache-dir"), short="if",
        options=_set("--version --outdated --uptodate --format --user --local --not-required --verbose --quiet --files --all --yes"), letters="oulvqy",
    )),
    "yarn": Commands(read=frozenset(), opaque=_set("install run exec")),  # what it does not know is a script's name
    **dict.fromkeys(("npm", "pnpm"), Commands(read=_set("ls list view outdated"), write=frozenset(), opaque=_set("install run exec ci"),
        never=("script-shell", "node-options", "prefix", "userconfig", "globalconfig", "logs-dir", "registry", "cache"),
        options=_set("--global --depth --json --all --long --parseable --omit --production --dev"), letters="gpla")),
    "dpkg": Commands(read=_set("-l -L -s -S --list --status --listfiles --search"), danger=_set("-r -P --remove --purge"), opaque=_set("-i --install"),
        never=("pre-invoke", "post-invoke", "status-logger", "root", "admindir", "instdir", "log"),
        options=_set("--no-pager"),
    ),
    "rpm": Commands(read=_set("-q -qa -qi -ql -qf --query"), danger=_set("-e --erase"), opaque=_set("-i -U -ivh -Uvh --install --upgrade"),
        never=("pipe", "eval", "define", "undefine", "macros", "rcfile", "load", "predefine", "root", "dbpath"), short="ED",
        options=_set("--all --info --list --file --changelog --last --requires --provides --scripts --queryformat --qf --whatprovides --docfiles --configfiles"),
        letters="qailcdsR",
    ),
    "helm": Commands(
        read=_set("list ls status history version"), write=_set("upgrade install"), danger=_set("uninstall delete rollback"),
        valued=_set("-n --namespace"), never=("post-renderer", "kubeconfig", "kube-token"),
        options=_set("--all-namespaces --output --all --quiet --short --date --reverse --filter --max --offset --revision --show-resources --wait --timeout --failed --deployed --pending"),
        letters="Anoaqdr",
    ),
    "timedatectl": Commands(read=_set("status show list-timezones timesync-status"), danger=_set("set-time set-timezone set-ntp"), bare=_set("timedatectl"), never=("host", "machine"), short="HM",
        options=_set("--no-pager --property --all --value --full"), letters="pal"),
    "loginctl": Commands(read=_set("list-sessions list-users session-status user-status"), danger=_set("terminate-session terminate-user kill-session kill-user"), never=("host", "machine"), short="HM",
        options=_set("--no-pager --property --all --value --full --no-legend"), letters="pal"),
    "nginx": Commands(read=_set("-v -V"), write=_set("-t -T"), short="cgpes", options=frozenset(), letters="tvVTq"),
}  # fmt: skip


def commanded(argv: Argv) -> Finding:
    """Effect by the tool's command; what is before it must be known too."""
    table = _TABLE[argv.name]
    texts = list(argv.texts)
    if pattern := argv.could_be_option():
        return opaque(f"{argv.name} with {pattern}: a file name could be taken for an option", *_worst(table, texts))
    if (table.never or table.short) and argv.has(table.short, *table.never):
        return opaque(f"{argv.name} with an option that makes it run or write something else", *_worst(table, texts))
    if strange := _strange(table, texts):
        return opaque(f"{argv.name} {strange} is not known", *_worst(table, texts))
    known = {*table.read, *table.write, *table.danger}
    while texts and texts[0].startswith("-") and texts[0] not in known:
        option = texts.pop(0)
        if option in table.valued and texts:
            texts.pop(0)
        elif option not in table.free and option.partition("=")[0] not in table.valued:
            return opaque(f"{argv.name} {option} is not known")
    if not texts:
        return (
            found(READ, verb=argv.name.upper())
            if table.free or table.bare
            else opaque(f"{argv.name} without a command")
        )
    command, *rest = texts
    if command in table.groups and rest:
        command, *rest = rest
    verb = f"{argv.name} {command}".upper()
    if command in table.bare:
        looking = all(text in {"-a", "-v", "-r", "-vv", "--all", "--list"} for text in rest)
        return found(READ if looking else WRITE, verb=verb)
    effect = _effect(table, command)
    if effect is OPAQUE:
        return Finding(frozenset({OPAQUE}), verb, why=f"what {argv.name} {command} does is not known")
    if why := _looks_further(argv, command, rest):
        return Finding(frozenset({effect, OPAQUE}), verb, why=why)
    return found(effect, verb=verb, writes=tuple(rest[:1]) if effect is not READ else ())


def _worst(table: Commands, texts: list[str]) -> tuple[Effect, ...]:
    """What a command may do whose options are not known."""
    return (WRITE,) if table.danger.isdisjoint(texts) else (WRITE, DANGER)


def _strange(table: Commands, texts: list[str]) -> str:
    """An option that is not known to do no more than its command; empty when there is none."""
    if table.options is None:
        return ""
    known = {*table.options, *table.free, *table.valued, "--"}
    commands, seen = {*table.read, *table.write, *table.danger, *table.opaque}, False
    for text in texts:
        cluster = text[1:].split("=")[0].rstrip("0123456789")
        if not seen and text in commands:
            seen = True
        elif not text.startswith("-") or text == "-" or text.partition("=")[0] in known or text[:2] in table.valued:
            continue
        elif text.startswith("--") or not set(cluster) <= set(table.letters):
            return text
    return ""


_INSTALLING = frozenset({"install", "reinstall", "localinstall", "upgrade", "update", "enable", "link", "edit"})
_OTHERS_MAY_WRITE = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - compared


def _looks_further(argv: Argv, command: str, rest: list[str]) -> str:
    """Why a known command does more than usual, by what is behind it."""
    name = argv.name
    if name == "kubectl":
        low = [text.lower() for text in rest]
        if any("secret" in text or text == "all" for text in low):
            return "it may show secrets"
        named = any(text.startswith(("-f", "-k", "--f", "--k")) for text in low)
        applied = command in {"apply", "create", "replace", "delete", "logs"} and not any("://" in text for text in low)
        if any("-file" in text for text in low) or (named and not applied):
            return "it reads a file or an address"
    if name == "kubectl" and command == "cluster-info" and rest:
        return "it shows everything there is"
    if name == "docker" and command == "top" and len(rest) > 1:
        return "it may show the environment of processes"
    if name == "systemctl" and command == "show" and _shows_environment(argv.texts):
        return "it may show the environment of services"
    if name in {"npm", "yarn", "pnpm"} and any(_NOT_A_PACKAGE.search(text) for text in rest):
        return "a package from a place of its own"
    if name in {"yum", "dnf"} and command == "history" and rest and rest[0] not in {"list", "info"}:
        return "the history can be undone"
    if name == "rpm" and any("://" in text or "%(" in text or "%{lua" in text for text in argv.texts):
        return "rpm of an address, or with a macro"
    if name == "git" and command == "reflog" and rest and rest[0] not in {"show", "-n", "--all"}:
        return "the reflog may be changed"
    if name == "git" and any(text.startswith(_OTHERS_MAY_WRITE) or ".." in text.split("/") for text in argv.texts):
        return "a repository there may be anybody's, and git runs what its configuration names"
    if name == "git" and (why := next((text for text in map(secret, argv.args) if text), "")):
        return why
    if (
        command in _INSTALLING
        and name != "git"
        and any("/" in text or text.endswith((".deb", ".rpm")) for text in rest)
    ):
        return f"{name} {command} of a file or an address"
    return "an editor" if command == "edit" else ""


#: What npm and its like take for a file, an address or a repository.
_NOT_A_PACKAGE = re.compile(r":|^[./~]|^[^@].*/")


def _shows_environment(texts: tuple[str, ...]) -> bool:
    """`systemctl show`: all properties, or those that hold the environment."""
    asked = [
        value
        for before, text in zip(("", *texts), texts, strict=False)
        for value in ([text] if before in {"-p", "--property"} else [text.partition("=")[2] or text[2:]] if text.startswith(("-p", "--property=")) else [])
    ]  # fmt: skip
    return not any(asked) or any("environ" in value.lower() for value in asked)


def _effect(table: Commands, command: str) -> Effect:
    if command in table.danger:
        return DANGER
    if command in table.write:
        return WRITE
    return READ if command in table.read else OPAQUE


#: `service=…`, `host=…`, a URL: it names files, passwords and programs.
_CONNINFO = re.compile(r"=|://")
_PSQL_FREE = frozenset(
    {"-X", "-A", "-t", "-q", "-At", "-tA", "-Atq", "-w", "-1", "-x", "--no-psqlrc", "--csv", "-XAt", "-XAtq"}
)
_HERE = frozenset({"localhost", "127.0.0.1", "::1", "/var/run/postgresql"})
_PSQL_VALUED = frozenset({"-d", "-h", "-p", "-U", "-F"})


def psql(argv: Argv) -> Finding:
    """`psql -c SQL` is judged as SQL, without this server's catalog: what it cannot know counts as unknown."""
    texts, statements = list(argv.texts), []
    if any(word.glob for word in argv.args):
        return opaque("psql with a pattern: a file name could be taken for an option or for SQL")
    while texts:
        option = texts.pop(0)
        if option in {"-c", "--command"} and texts:
            statements.append(texts.pop(0))
        elif option in _PSQL_VALUED and texts:
            value = texts.pop(0)
            if option == "-d" and _CONNINFO.search(value):
                return opaque("psql with a connection string may go anywhere")
            if option == "-h" and value not in _HERE:
                return opaque("psql with another server: that one has a resource of its own, or needs one")
        elif option not in _PSQL_FREE and option.startswith("-"):
            return opaque(f"psql {option} is not known")
        elif _CONNINFO.search(option):
            return opaque("psql with a connection string may go anywhere")
    if not statements or (argv.fed and not statements):
        return opaque("psql without -c runs whatever it is given")
    effects: set[Effect] = set()
    verbs: list[str] = []
    writes: list[str] = []
    for text in statements:
        if text.lstrip().startswith("\\"):
            return opaque("a psql command can run programs and write files")
        whole = judge(parse(text), Catalog.empty(), SqlSession()).combined
        effects |= whole.effects if whole.understood else {OPAQUE}
        verbs.extend(whole.verbs)
        writes.extend(whole.writes)
    why = "this SQL runs something nobody declared harmless" if OPAQUE in effects else ""
    return Finding(frozenset(effects or {OPAQUE}), " ".join(("PSQL", *verbs[:1])), writes=tuple(writes), why=why)


def service(argv: Argv) -> Finding:
    """`service NAME status`."""
    texts = argv.texts
    if any("/" in text for text in texts[:1]):
        return opaque("service runs whatever file that is")
    if texts == ("--status-all",) or (len(texts) == 2 and texts[1] == "status"):
        return found(READ, verb="SERVICE STATUS")
    return found(WRITE, verb="SERVICE", writes=texts[:1])


COMMANDED: Mapping[str, Rule] = {**dict.fromkeys(_TABLE, commanded), "psql": psql, "service": service}
