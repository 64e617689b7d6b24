"""Git-stored, parameterized commands.

A *runbook* is a reviewed file in Git: front matter and SQL steps with typed parameters. `parse` reads a file into a
`model.Runbook` or says everything that is wrong with it; `values` makes canonical values of what people type; `render`
turns both into the exact statements of a run, the values bound and never pasted. `mirror` is a bare copy of a repository,
read by commit; `catalog` is what people pick from. `library/` holds the runbooks that ship.

Runbooks know approval flows and the vocabulary; the bot knows runbooks.
"""
