"""Desk phones that pick up by themselves when their own collector clicked: the header that asks for it, by make of phone.

Set on the Originate's channel only, so the customer's INVITE does not carry it.
https://docs.asterisk.org/Latest_API/API_Documentation/Dialplan_Functions/PJSIP_HEADER/
"""

from collections.abc import Mapping

from config.settings import AutoAnswer

VARIABLES: Mapping[AutoAnswer, Mapping[str, str]] = {
    "none": {},
    # Snom, Grandstream, Cisco SPA, Linphone
    "call-info": {"PJSIP_HEADER(add,Call-Info)": "<sip:ringfence>;answer-after=0"},
    # Yealink, Fanvil, Polycom, Mitel
    "alert-info": {"PJSIP_HEADER(add,Alert-Info)": "<http://127.0.0.1>;info=alert-autoanswer;delay=0"},
}
"""Variables for the Originate of the collector's leg."""
