"""Masking: what leaves a protected target is decided per result column, once per result, and fails closed.

The order of decision: column identity (catalog) → expression taint (`proxy.sql.lineage`) → type skip → value detectors.

- **Masker** (`plan`): the one door; everything below hangs on it. One per session.
- **Column** (`plan`): a result column as the wire described it; **RowPlan** (`rows`): rewrites DataRow messages.
- **CopyFormat, CopyPlan** (`copyout`): the same for COPY TO STDOUT, streaming.
- **Detector, Span** (`detectors`): finds one kind of personal data in a text; `scan` runs all of them in one pass.
- **Strategies** (`strategies`): how a value is replaced; every replacement carries a mark (`looks_masked`).
- **Shown** (`literals`): the rendering of a statement that may leave to people.
"""
