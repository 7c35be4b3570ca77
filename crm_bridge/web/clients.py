"""A client's settings as a whole."""

from aiohttp import web

from config import clock
from config.errors import Conflict
from crm_bridge.operations import clients
from crm_bridge.web import keys
from crm_bridge.web.api import Api, NoContent
from crm_bridge.web.reasons import ReasonQuery

api = Api("policies")


@api.operation(
    "DELETE",
    "/v1/clients/{client}",
    roles=("admin",),
    query=ReasonQuery,
    answers={204: NoContent},
    problems=(Conflict,),
    summary="Take all settings of a client away",
)
async def remove_client(request: web.Request, query: ReasonQuery) -> None:
    """Refused, with what stands `against` it, while it has holds, open cases, live calls, CRMs or routes. Records stay.

    The journal keeps every setting as it was.
    """
    async with request.app[keys.DATABASE].write() as transaction:
        await clients.remove(
            transaction, request.match_info["client"], query.reason, user=request[keys.USER], now=clock.now()
        )
