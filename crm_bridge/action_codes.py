"""Action codes: what a follow-up led to, one code each (S38). The default set."""

from dataclasses import dataclass

from config.errors import Invalid


@dataclass(frozen=True, slots=True)
class ActionCode:
    """A code with its names; `outcome` is what it says of the call, where it says something."""

    code: str
    zh: str
    en: str
    outcome: str | None = None


ACTION_CODES = (
    ActionCode("PTP", "承诺还款", "promise to pay", "conversation"),
    ActionCode("NEG", "协商中", "negotiating", "conversation"),
    ActionCode("REF", "拒绝还款", "refuses to pay", "conversation"),
    ActionCode("DIS", "有异议", "disputes the debt", "conversation"),
    ActionCode("PAID", "称已还款", "says it is paid", "conversation"),
    ActionCode("CB", "约定回电", "call back agreed", "conversation"),
    ActionCode("MSG", "转告", "message passed on", "conversation"),
    ActionCode("THIRD", "第三方接听", "a third party answered", "conversation"),
    ActionCode("WRONG", "号码非本人", "wrong number", "conversation"),
    ActionCode("COMP", "投诉倾向", "likely to complain", "conversation"),
    ActionCode("HANG", "接通即挂", "hung up at once", "conversation"),
    ActionCode("VM", "语音信箱", "voicemail", "voicemail"),
    ActionCode("NA", "无人接听", "no answer", "no_answer"),
    ActionCode("BUSY", "占线", "busy", "busy"),
    ActionCode("REJ", "拒接", "call rejected", "rejected"),
    ActionCode("OFF", "关机", "switched off", "no_answer"),
    ActionCode("NIS", "空号或停机", "not in service", "not_in_service"),
    ActionCode("OTHER", "其他", "other"),
)


def find_code(code: str) -> ActionCode:
    """The action code. Raises Invalid naming those there are."""
    for known in ACTION_CODES:
        if known.code == code:
            return known
    message = f"must be one of {', '.join(known.code for known in ACTION_CODES)}"
    raise Invalid(f"action_code {message}", [{"field": "action_code", "message": message}])
