"""Takes the screenshots shown in the docs (`make screenshots`): the demo's floor, a real call, both languages."""

import asyncio
import secrets
from pathlib import Path

from playwright.async_api import Page

from crm_bridge.demo.cases import CASES
from crm_bridge.demo.floor import demo_floor
from tests.support.browser import chromium, log_in, reader

FOLDER = Path("docs/screenshots")
LANGUAGES = {"en": ("en-GB", "English", "Will pay half on Friday."), "zh": ("zh-CN", "中文", "周五先还一半。")}


class Camera:
    """One reader's page, photographed under `<what>-<language>`."""

    def __init__(self, page: Page, language: str) -> None:
        self._page = page
        self._language = language

    async def take(self, what: str) -> None:
        """What is shown now; the desk's pictures are named after the language first, so that they sort together."""
        await self._page.wait_for_load_state("networkidle") if what == "login" else await asyncio.sleep(0.3)
        name = f"login-{self._language}" if what == "login" else f"desk-{self._language}-{what}"
        await self._page.screenshot(path=FOLDER / f"{name}.png")


async def _log_in(page: Page, camera: Camera, password: str, language: str) -> None:
    await page.goto("/login")
    await camera.take("login")
    await log_in(page, "collector", password)
    await page.wait_for_selector("#stream-state[data-state=open]")
    await page.get_by_role("button", name="EN" if language == "en" else "中文").click()


async def _open(page: Page, case_id: str, name: str) -> bool:
    """Open the case; whether its first number may be called now."""
    link = page.locator(f'a[href="/cases/{case_id}"]')
    if not await link.count():
        return False
    await link.click()
    await page.wait_for_selector(f".party >> text={name}")
    await page.wait_for_selector(".button-call, .why-not")
    return await page.locator(".button-call").count() > 0


async def _call(page: Page, camera: Camera, note: str) -> None:
    await page.locator(".button-call").first.click()
    await page.wait_for_selector("call-bar[data-state=connected]", timeout=30_000)
    await page.fill("[name=note]", note)
    await asyncio.sleep(3)
    await camera.take("connected")
    await page.click(".button-hangup")
    await page.wait_for_selector("call-bar[data-state=ended]")
    await page.select_option("[name=action_code]", "PTP")
    await camera.take("disposition")
    await page.keyboard.press("Control+Enter")
    await page.wait_for_selector(".notice-good")
    await camera.take("time-line")


async def _photograph(page: Page, language: str, password: str) -> None:
    camera = Camera(page, language)
    await _log_in(page, camera, password, language)
    refused = False
    for case in CASES:
        callable_now = await _open(page, case.id, case.people[0].name)
        if not callable_now and not refused:
            refused = True
            await camera.take("not-now")
        answers = case.people[0].numbers[0][-2:] in ("02", "05", "06", "07", "12")
        if callable_now and answers:
            await _call(page, camera, LANGUAGES[language][2])
            return
    raise RuntimeError("no case of the demo may be called now")


async def main() -> None:
    """Take them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    password = secrets.token_urlsafe(9)
    async with demo_floor(password) as base, chromium() as browser:
        for language, (locale, _, _) in LANGUAGES.items():
            async with reader(browser, base, locale=locale) as page:
                await _photograph(page, language, password)


if __name__ == "__main__":
    asyncio.run(main())
