// The navigation offers what a role may use: the server writes all of it, since a page is a shell without a reader.

/** Show the links of this role: of each group the first page it may use, and the pages of the group that is open. */
export function showPages(role) {
  const shown = new Set();
  for (const link of document.querySelectorAll("a[data-roles]")) {
    const allowed = link.dataset.roles.split(" ").includes(role);
    const group = link.dataset.group;
    link.hidden = !allowed || (group !== undefined && shown.has(group));
    if (!link.hidden && group !== undefined) shown.add(group);
  }
  const groups = document.querySelector(".groups");
  if (groups) groups.hidden = shown.size < 2;
}
