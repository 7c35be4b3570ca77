"""The PBXs and their trunks as an admin looks after them."""
