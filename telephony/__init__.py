"""Calls on the PBX: numbers, call states, the AMI link, the gate and the calling policy."""
