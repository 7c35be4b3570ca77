"""Run inside Tryton's own environment: what an agency's Tryton has from the start. Arguments: configuration, database,
and two keys of the REST API: of the user that Ringfence logs in as, who may do what collectors' work needs, and of the
administrator, by which a test plays the people at the CRM.
"""

import sys
from decimal import Decimal

from trytond import config
from trytond.pool import Pool
from trytond.transaction import Transaction


def _company(pool: Pool) -> int:
    (party,) = pool.get("party.party").create([{"name": "Agency"}])
    unit = {
        "name": "Yuan",
        "code": "CNY",
        "symbol": "¥",
        "numeric_code": "156",
        "rounding": Decimal("0.01"),
        "digits": 2,
    }
    (currency,) = pool.get("currency.currency").create([unit])
    (company,) = pool.get("company.company").create([{"party": party.id, "currency": currency.id}])
    return company.id


def _people(pool: Pool, company: int, crm_key: str, admin_key: str) -> None:
    data, users = pool.get("ir.model.data"), pool.get("res.user")
    groups = [data.get_id("project", "group_project_admin"), data.get_id("party", "group_party_admin")]
    at_work = {"companies": [("add", [company])], "company": company}
    crm = {"name": "Ringfence", "login": "ringfence", "groups": [("add", groups)], **at_work}
    (user,) = users.create([crm])
    users.write([users(1)], at_work)
    keys = [{"user": user.id, "key": crm_key}, {"user": 1, "key": admin_key}]
    pool.get("res.user.application").create([{"application": "rest", "state": "validated", **key} for key in keys])


def main(configuration: str, database: str, *keys: str) -> None:
    """Fill the database."""
    config.update_etc(configuration)
    Pool.start()
    pool = Pool(database)
    pool.init()
    with Transaction().start(database, 1, context={}):
        statuses = [{"name": name, "types": ["project", "task"]} for name in ("Suspended", "Settled", "Returned")]
        pool.get("project.work.status").create(statuses)
        _people(pool, _company(pool), *keys)


main(*sys.argv[1:])
