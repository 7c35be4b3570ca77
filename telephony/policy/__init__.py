"""The calling policy: a facts document and rule packs in, a verdict out. Pure: no clock, no network, no database."""
