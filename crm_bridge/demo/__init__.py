"""The lab: a real Asterisk in a private Debian root, as the PBX and as the world around it."""
