"""The background work of notes and imports: reminders, places of numbers, files to import, files to forget."""

from config import clock
from config.database import Database
from config.settings import Settings
from crm_bridge.cases.number_places import NumberPlaces
from crm_bridge.imports import uploads
from crm_bridge.imports.work import ImportWork
from crm_bridge.notes.clocks import MandateEnds, NoteClocks
from crm_bridge.workers import JournalReader, Ticker


def note_jobs(settings: Settings, database: Database) -> list[JournalReader | Ticker]:
    """What a process does beside answering requests."""
    zone = settings.policy.zone
    places = NumberPlaces(database)
    mandates = MandateEnds(database=database, zone=zone)
    work = ImportWork(database=database, region=settings.policy.region, clock=clock.now)
    return [
        JournalReader(name="reminders", database=database, subscribers=NoteClocks(zone).subscribers),
        JournalReader(name="number places", database=database, subscribers=places.subscribers),
        Ticker(name="number places", tick=lambda: places.tick(clock.now()), seconds=20),
        Ticker(name="mandate ends", tick=lambda: mandates.tick(clock.now()), seconds=60),
        Ticker(name="imports", tick=work.tick, seconds=1),
        Ticker(name="old imports", tick=lambda: uploads.empty_old(database, clock.now()), seconds=3600),
    ]
