"""What the service and its dialplan need of a PBX: manager classes and modules."""

from collections.abc import Mapping

ACTIONS: Mapping[str, str] = {
    "Originate": "originate",
    "UpdateConfig": "config",
    "CreateConfig": "config",
    "GetConfig": "config",
    "DialplanExtensionAdd": "system",
    "DialplanExtensionRemove": "system",
    "DBGet": "system",
    "DBGetTree": "system",
    "DBPut": "system",
    "DBDel": "system",
    "ModuleCheck": "system",
    "PJSIPShowEndpoints": "system",
    "PJSIPShowEndpoint": "system",
    "PJSIPShowRegistrationsOutbound": "system",
    "PJSIPQualify": "system",
    "PJSIPRegister": "system",
    "Reload": "config",
    "ShowDialPlan": "config",
    "CoreSettings": "system",
    "CoreShowChannels": "system",
    "Hangup": "call",
    "Getvar": "call",
    "Setvar": "call",
    "Redirect": "call",
    "BlindTransfer": "call",
    "Bridge": "call",
    "PlayDTMF": "call",
    "MuteAudio": "system",
    "MixMonitor": "system",
    "MixMonitorMute": "system",
}
"""Every AMI action the service sends, and the write class that allows it."""
BROUGHT_BY: Mapping[str, str] = {
    "PJSIPShowRegistrationsOutbound": "res_pjsip_outbound_registration.so",
    "PJSIPRegister": "res_pjsip_outbound_registration.so",
    "MixMonitor": "app_mixmonitor.so",
    "MixMonitorMute": "app_mixmonitor.so",
    "MuteAudio": "res_mutestream.so",
}
"""Actions that no account may send while the module is not loaded."""
EVENT_CLASSES = ("system", "call", "user")
"""The read classes whose events the service lives on."""

MODULES: Mapping[str, str] = {
    "pbx_config.so": "the dialplan",
    "chan_pjsip.so": "phones and trunks",
    "func_pjsip_endpoint.so": "phones' contexts",
    "app_dial.so": "dialling",
    "app_stack.so": "Gosub and hang-up handlers",
    "res_agi.so": "the gate",
    "app_mixmonitor.so": "recording",
    "format_sln.so": "recording",
    "app_playback.so": "prompts",
    "app_playtones.so": "tones",
    "app_channelredirect.so": "hold and transfers",
    "res_mutestream.so": "mute",
    "app_userevent.so": "legs that tell whose they are",
    "func_db.so": "what the PBX writes down",
    "func_env.so": "probing the spool",
    "func_strings.so": "filtering what goes into Dial",
    "func_logic.so": "the dialplan",
    "func_cut.so": "the dialplan",
    "func_math.so": "ids of inbound calls",
    "func_md5.so": "ids of inbound calls",
    "func_callerid.so": "caller IDs",
    "func_channel.so": "hang-up handlers",
    "func_hangupcause.so": "hang-up causes",
    "func_timeout.so": "the gate's time limit",
    "func_devstate.so": "internal calls of phones in our context",
}
WELCOME: Mapping[tuple[str, ...], tuple[str, str]] = {
    ("res_curl.so", "func_curl.so", "res_http_media_cache.so"): (
        "Announcements and prompts given as http URLs cannot be played.",
        "use only sound files that lie on the PBX",
    ),
    ("app_chanspy.so",): ("Nobody can listen in on a call.", "do without it"),
}
"""Modules that calls can be made without: what is lost, and what else may be done."""
