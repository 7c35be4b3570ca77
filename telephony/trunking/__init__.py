"""Trunks as an admin sets them up: their PJSIP objects on the PBX, their health, who goes out by which, and what it shows."""
