"""What a PBX needs to work with us: planned, applied over AMI, and checked for ways round the gate."""
