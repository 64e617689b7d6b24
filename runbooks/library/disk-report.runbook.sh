---
title: Disk report
description: How full the disks are, and what is large below a folder.
timeout: 2m
parameters:
  folder:
    pattern: "(/[A-Za-z0-9][A-Za-z0-9._-]*)+|/"
    default: /var
    description: Where to look for what is large. It stays on that file system.
---
# step: Space
df -h -x tmpfs -x devtmpfs

# step: Inodes
df -ih -x tmpfs -x devtmpfs

# step: The largest below the folder
du -xh --max-depth=2 -- {{ .folder }} 2>/dev/null | sort -rh | head -n 15
