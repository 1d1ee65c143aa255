"""``python -m artem_vr``."""

from artem_vr.cli import main

raise SystemExit(main())
