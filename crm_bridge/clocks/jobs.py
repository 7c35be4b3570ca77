"""The clocks' part of the composition: what follows what happened, what ticks, and who is told by mail."""

from config import clock
from config.database import Database
from config.settings import Settings
from crm_bridge.clocks.deadline_clock import DeadlineClock
from crm_bridge.clocks.mail import Outbox
from crm_bridge.clocks.mail_notices import MailNotices
from crm_bridge.clocks.work_clocks import WorkClocks
from crm_bridge.complaints.steps import ANSWER, STEP, Escalation
from crm_bridge.qa.samples import make_daily
from crm_bridge.reports.keeping import PeriodReports
from crm_bridge.reports.mailing import ReportMail
from crm_bridge.retrievals import KIND as RETRIEVAL
from crm_bridge.retrievals import overdue
from crm_bridge.workers import JournalReader, Ticker


def deadline_clock(database: Database, zone: str) -> DeadlineClock:
    """The clock, with what follows each kind that is missed."""
    escalation, work = Escalation(zone), WorkClocks(zone)
    missed = {
        STEP: escalation.step_missed,
        ANSWER: escalation.answer_missed,
        RETRIEVAL: overdue,
        "cadence": work.cadence_missed,
    }
    return DeadlineClock(database=database, missed=missed)


def clock_jobs(settings: Settings, database: Database) -> list[JournalReader | Ticker]:
    """Background work of the clocks. Without a mail server configured nothing is written into the outbox."""
    zone = settings.policy.zone
    deadlines = deadline_clock(database, zone)
    kept = PeriodReports(database, zone)
    jobs: list[JournalReader | Ticker] = [
        JournalReader(name="clocks", database=database, subscribers=WorkClocks(zone).subscribers),
        Ticker(name="deadlines", tick=lambda: deadlines.tick(clock.now()), seconds=1),
        Ticker(name="daily audit sample", tick=lambda: make_daily(database, zone, clock.now()), seconds=60),
        Ticker(name="period reports", tick=lambda: kept.tick(clock.now()), seconds=20),
    ]
    if settings.mail.host:
        notices = MailNotices(settings.mail, settings.server.public_url, zone)
        made = ReportMail(settings.mail, settings.server.public_url, zone)
        outbox = Outbox(database=database, settings=settings.mail)
        jobs.append(JournalReader(name="mail", database=database, subscribers=notices.subscribers))
        jobs.append(JournalReader(name="report mail", database=database, subscribers=made.subscribers))
        jobs.append(Ticker(name="mail", tick=lambda: outbox.tick(clock.now()), seconds=2))
    return jobs
