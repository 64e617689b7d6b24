"""Tools that look and tools that change files, and the options with which they do no more than that (`proxy.ssh.options` says how they are written).

From their manuals (coreutils 9, util-linux 2.38, procps 4, iproute2, BIND 9, sysstat 12, jq 1.7). Not here, on purpose: whatever
writes a file or runs a program; reads names of files, options or programs from a file; goes on to another machine, root or
image; asks a pager; changes kernel, clock or log.
"""

from __future__ import annotations

from collections.abc import Mapping

from proxy.ssh.options import Known, known

_SUMS = "btz --binary --text --tag --zero"
_GREP = (
    "abcEFGhHiIjlLnoPqrRsTUvVwxyzZ#A:B:C:e:f:m:d:D: --extended-regexp --fixed-strings --basic-regexp --perl-regexp --regexp= --file= "
    "--ignore-case --no-ignore-case --word-regexp --line-regexp --null-data --no-messages --invert-match --max-count= --byte-offset "
    "--line-number --line-buffered --with-filename --no-filename --label= --only-matching --quiet --silent --binary-files= --text "
    "--directories= --devices= --recursive --dereference-recursive --include= --exclude= --exclude-dir= --files-without-match "
    "--files-with-matches --count --initial-tab --null --before-context= --after-context= --context= --color --colour"
)
_TABLE: Mapping[str, str] = {
    "basename": "as:z --multiple --suffix= --zero",
    "cal": "13hjJmMNpsSwyYn:A:B:",
    "cat": "AbeEnstTuv --show-all --number-nonblank --show-ends --number --squeeze-blank --show-tabs --show-nonprinting",
    "cksum": "a:l: --algorithm= --length= --untagged --tag",
    "cmp": "bi:ln:s --print-bytes --ignore-initial= --verbose --bytes= --quiet --silent",
    "column": "tc:s:o:N:H:R:T:W:ednJxL --table --separator= --output-separator= --table-columns= --output-width=",
    "comm": "123z --check-order --nocheck-order --output-delimiter= --total --zero-terminated",
    "cut": "b:c:d:f:nsz --bytes= --characters= --delimiter= --fields= --complement --only-delimited --output-delimiter= --zero-terminated",
    "df": "aB:hHiklPt:Tx: --all --block-size= --human-readable --si --inodes --local --no-sync --output --portability --type= --total "
          "--print-type --exclude-type=",
    "diff": "abBcdeEiI:nNpqrstTuU:wyW:C:x: --brief --report-identical-files --unified --context --side-by-side --recursive --new-file "
            "--ignore-case --ignore-all-space --ignore-space-change --ignore-blank-lines --ignore-trailing-space --text "
            "--suppress-common-lines --width= --color --strip-trailing-cr --minimal --no-dereference --exclude= --label= --from-file= --to-file=",
    "dig": "46hmruvb:c:p:q:t:x:",
    "dirname": "z --zero",
    "dpkg-query": "lLsSWpf: --list --listfiles --status --search --show --print-avail --showformat= --no-pager",
    "du": "0aB:bcd:DhHklLmPsSt:x --all --apparent-size --block-size= --bytes --total --max-depth= --human-readable --si --summarize "
          "--one-file-system --separate-dirs --time --time-style= --threshold= --exclude= --inodes --dereference --count-links --no-dereference",
    **dict.fromkeys(("grep", "egrep", "fgrep"), _GREP),
    "expand": "it:# --initial --tabs=",
    "file": "bhiIkLNnrsE0e:F: --brief --mime --mime-type --mime-encoding --keep-going --dereference --no-dereference --no-pad --separator= "
            "--extension --raw --special-files --print0",
    "findmnt": "aAbcDefhilJklnPrRsuUvo:O:t:T:S:M:d:N: --all --json --list --noheadings --output= --types= --target= --source= --mountpoint= "
               "--df --raw --pairs --real --pseudo --bytes --submounts --options= --first-only --fstab --mtab --kernel --evaluate",
    "fold": "bsw:# --bytes --spaces --width=",
    "free": "bkmghltwvs:c: --bytes --kilo --mega --giga --tera --kibi --mebi --gibi --tebi --human --si --lohi --total --wide --seconds= "
            "--count= --committed",
    "getconf": "a",
    "getent": "i --no-idn",
    "groups": "-",
    "head": "c:n:qvz# --bytes= --lines= --quiet --silent --verbose --zero-terminated",
    "host": "46aCdilrsTvwc:N:R:t:W:",
    "id": "aZgGnruz --context --group --groups --name --real --user --zero",
    "iostat": "cdhkmNstVxyz --human --pretty --compact --dec=",
    "join": "a:e:io:t:v:1:2:j:z --ignore-case --check-order --nocheck-order --header --zero-terminated",
    "jq": "acCeMnrRsSj --compact-output --color-output --monochrome-output --exit-status --null-input --raw-output --raw-output0 --raw-input "
          "--slurp --sort-keys --join-output --ascii-output --tab --indent= --arg --argjson --args --jsonargs --slurpfile --rawfile --unbuffered "
          "--stream --seq",
    "last": "adFiRwxn:s:t:p:# --time-format= --since= --until= --fulltimes --dns --ip --nohostname --limit= --present= --system --hostlast --fullnames",
    "locale": "amck --all-locales --charmaps --category-name --keyword-name",
    "ls": "aAbBcCdDfFgGhHiI:klLmnNopqQrRsStT:uUvw:xXZ1 --all --almost-all --author --escape --block-size= --ignore-backups --color --directory "
          "--classify --file-type --format= --full-time --group-directories-first --no-group --human-readable --si --dereference --hide= "
          "--hyperlink --indicator-style= --inode --ignore= --kibibytes --literal --numeric-uid-gid --quote-name --quoting-style= --reverse "
          "--recursive --size --sort= --time= --time-style= --width= --context --zero",
    "lsb_release": "idrcas --id --description --release --codename --all --short",
    "lsblk": "abdDfiJlmnMNOpPrsStTve:I:o:x:w:E: --all --bytes --nodeps --discard --exclude= --fs --include= --ascii --json --list --perms --noheadings "
             "--output= --output-all --paths --pairs --raw --inverse --scsi --sort= --topology --tree --zoned --width=",
    "lscpu": "abcBCeJpxy --all --online --offline --bytes --caches --extended --json --parse --hex --physical --output-all",
    "lsmod": "-",
    # Its own reading of options falls back to letters where a value does not fit, so only those whose values cannot are here.
    "lsof": "abClnNOoPRtUVwXLc:d:p:u:i::",
    "lspci": "bDkmnPtvxs:d:",
    **dict.fromkeys(("md5sum", "sha1sum", "sha256sum", "sha512sum"), _SUMS),
    "mpstat": "AnuI:N:P:o: --dec=",
    "netstat": "aegilnoprstuvwxWMN46c --all --numeric --listening --tcp --udp --programs --route --interfaces --statistics --extend --timers --unix "
               "--wide --numeric-ports --numeric-hosts --continuous --inet --inet6",
    "nl": "b:d:f:h:i:l:n:ps:v:w: --body-numbering= --number-format= --number-separator= --number-width=",
    "nproc": "- --all --ignore=",
    "nslookup": "-",
    "od": "A:j:N:S:t:vw::abcdfilosx --address-radix= --skip-bytes= --read-bytes= --strings= --format= --output-duplicates --width --endian=",
    "paste": "d:sz --delimiters= --serial --zero-terminated",
    "pgrep": "acflnovwxid:g:G:P:s:t:u:U: --count --delimiter= --list-name --list-full --full --pgroup= --group= --ignore-case --newest --oldest "
             "--parent= --session= --terminal= --euid= --uid= --exact --inverse",
    "pidof": "cnqsxo:",
    "ping": "46DnOqrUvc:i:I:s:t:w:W:M:",
    "pstree": "aAchglnpsStTuU --arguments --ascii --compact-not --show-pids --show-parents --unicode --numeric-sort --long --uid-changes --show-pgids "
              "--hide-threads",
    "pwd": "LP --logical --physical",
    "readlink": "efmnqsvz --canonicalize --canonicalize-existing --canonicalize-missing --no-newline --quiet --silent --verbose --zero",
    "realpath": "eLmPqsz --canonicalize-existing --canonicalize-missing --logical --physical --quiet --relative-to= --relative-base= --strip "
                "--no-symlinks --zero",
    "rev": "-",
    "seq": "f:s:w#.e --format= --separator= --equal-width",
    "sleep": "-",
    "sort": "bdfghiMnRrVcCk:mst:uz --ignore-leading-blanks --dictionary-order --ignore-case --general-numeric-sort --ignore-nonprinting --month-sort "
            "--human-numeric-sort --numeric-sort --random-sort --reverse --sort= --version-sort --check --key= --merge --stable --field-separator= "
            "--unique --zero-terminated --debug",
    "ss": "hVnrlaoemipTsbtuwxdWSHOMQ460f:A: --no-header --oneline --numeric --resolve --all --listening --options --extended --memory --processes "
          "--threads --info --summary --tcp --udp --raw --unix --dccp --sctp --vsock --packet --ipv4 --ipv6 --family= --query= --socket= --mptcp",
    "stat": "Lfc:t --dereference --file-system --cached= --format= --printf= --terse",
    "strings": "afwe:n:t:o# --all --print-file-name --bytes= --radix= --encoding= --include-all-whitespace",
    "tac": "brs: --before --regex --separator=",
    "tail": "c:fFn:qs:vz# --bytes= --follow --lines= --max-unchanged-stats= --pid= --quiet --silent --retry --sleep-interval= --verbose --zero-terminated",
    "tr": "cCdst --complement --delete --squeeze-repeats --truncate-set1",
    # Values stand behind a whole cluster of letters (`-Lo 2 FILE`), so no letter here takes what is left of its word.
    "tree": "aACdDfFghiJlnNpqQrsStuUvxXcLIPTH# --dirsfirst --filesfirst --noreport --du --prune --si --inodes --device --timefmt= --filelimit= "
            "--charset= --matchdirs --ignore-case --sort=",
    "tty": "s --silent --quiet",
    "type": "afptP",
    "uname": "asnrvmpio --all --kernel-name --nodename --kernel-release --kernel-version --machine --processor --hardware-platform --operating-system",
    "unexpand": "at: --all --first-only --tabs=",
    "uptime": "ps --pretty --since",
    "vmstat": "aDdfmnstwyp:S: --active --disk --stats --slabs --timestamp --wide --unit= --one-header",
    "w": "fhiosu --no-header --short --from --ip-addr --old-style",
    "wc": "clmLw --bytes --chars --lines --max-line-length --words --total=",
    "whereis": "blmsu",
    "which": "a --all",
    "who": "abdHlmpqrstTuw --all --boot --dead --heading --login --process --count --runlevel --short --time --users --mesg",
    "whoami": "-",
    "zcat": "fqv --force --quiet",
    "zgrep": "cEFGhHiIlLnoqsvwxA:B:C:e:m:# --ignore-case --count --line-number --invert-match --no-filename --with-filename",
    # Not readers of files: rules of their own ask for these.
    "date": "d:uRr:I:: --date= --iso-8601 --rfc-3339= --rfc-email --utc --universal --reference=",
    "dmesg": "eJkLPrTtuwWxdf:l: --ctime --reltime --time-format= --facility= --level= --decode --kernel --userspace --nopager --raw --follow "
             "--follow-new --notime --show-delta --color --since= --until= --json",
    "hostname": "aAdfiIsy --alias --all-fqdns --all-ip-addresses --domain --fqdn --long --ip-address --short --yp --nis",
    "journalctl": "aefklqrxmN#b::n::p:u:t:o:S:U:g:F: --all --pager-end --follow --lines --no-tail --reverse --output= --output-fields= --utc --catalog "
                  "--no-full --full --quiet --merge --boot --list-boots --dmesg --identifier= --unit= --user-unit= --priority= --facility= --grep= "
                  "--case-sensitive --since= --until= --show-cursor --field= --fields --system --user --no-pager --no-hostname --disk-usage --header",
    "top": "bcHiS1n:d:p:u:U:w::o:e:E:",
    "uniq": "cdDuizf:s:w: --count --repeated --all-repeated --unique --ignore-case --zero-terminated --skip-fields= --skip-chars= --check-chars= --group",
    "iptables": "LSnvxt: --list --list-rules --numeric --verbose --exact --line-numbers --table=",
}  # fmt: skip
#: What `find` may be asked and told, without what writes (`-fprint`), removes, runs, or reads names from a file.
_FINDING = (
    "-H -L -P -a -and -o -or -not -true -false -amin -anewer -atime -cmin -cnewer -ctime -daystart -depth -d -empty -executable "
    "-fstype -gid -group -ilname -iname -inum -ipath -iregex -iwholename -links -lname -ls -maxdepth -mindepth -mmin -mount -mtime "
    "-name -newer -newermt -newerat -newerct -nogroup -noleaf -nouser -path -perm -print -print0 -printf -prune -quit -readable -regex "
    "-regextype -samefile -size -type -uid -used -user -wholename -writable -xdev -xtype -ignore_readdir_race -warn -nowarn"
)
FINDING = frozenset(_FINDING.split())
_CHANGES: Mapping[str, str] = {
    "cp": "abdfHiLlnPpRrsTuvxS:t: --archive --force --recursive --verbose --no-clobber --preserve --parents --interactive --update "
          "--no-dereference --dereference --backup --suffix= --target-directory= --no-target-directory --remove-destination --reflink --sparse=",
    "mv": "bfinTuvS:t: --force --verbose --no-clobber --interactive --update --backup --suffix= --target-directory= --no-target-directory",
    "mkdir": "m:pv --mode= --parents --verbose",
    "touch": "acd:fhmr:t: --no-create --date= --reference= --time= --no-dereference",
    "ln": "bfinrsTvPLS:t: --symbolic --force --relative --verbose --no-dereference --target-directory= --no-target-directory --backup --suffix=",
    "tee": "aip --append --ignore-interrupts",
    "install": "bcCdDg:m:o:pTvS:t: --directory --mode= --owner= --group= --preserve-timestamps --target-directory= --no-target-directory --verbose "
               "--backup --compare",
    **dict.fromkeys(("gzip", "gunzip"), "cdfklnNqtv#S: --keep --force --stdout --decompress --best --fast --verbose --list --test --suffix="),
    "bzip2": "cdfkqtvz# --keep --force --stdout --decompress --compress --test --verbose",
    "xz": "cdefkqtvzlT:# --keep --force --stdout --decompress --compress --list --test --threads= --verbose",
    "unzip": "acCDjlLnopqtuvXd:",
    "patch": "bEflNRstp:i:d:o:r: --dry-run --forward --reverse --strip= --input= --directory= --output= --backup",
    "logger": "it:p:s --tag= --priority= --id --stderr",
    "renice": "n:p:g:u: --priority= --pid --pgrp --user",
    "mkfifo": "m: --mode=",
}  # fmt: skip
#: name → the options it only looks with.
LOOKING: Mapping[str, Known] = {name: known(text) for name, text in _TABLE.items()}
#: Nothing that these are given makes them do more.
ANYTHING = frozenset({"echo", "expr", "true", "false", ":", "test", "[", "printf"})
#: Tools that change files, and the options with which they change no more than those they name.
CHANGING: Mapping[str, Known] = {name: known(text) for name, text in _CHANGES.items()}
