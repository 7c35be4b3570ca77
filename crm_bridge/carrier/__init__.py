"""The carriers' own records, held against ours."""
