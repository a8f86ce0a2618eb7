"use strict";
// The table of every image through one codec at one quality.
(() => {
  let data = null;
  const select = document.getElementById("row-group");
  const place = document.getElementById("rows");
  const order = { column: -1, down: false };  // column -1: the image's name

  // Of 500 frames that is work for a second, which nobody should wait for who reads the plots.
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    begin();
  }, { rootMargin: "300px" }).observe(select);

  function begin() {
    data = JSON.parse(document.getElementById("row-data").textContent);
    data.groups.forEach((group, index) => {
      select.add(new Option(`${group.label}, quality ${group.quality}`, index));
    });
    select.addEventListener("change", draw);
    if (data.groups.length) draw();
    else place.textContent = "The results have no rows.";
  }

  function draw() {
    const group = data.groups[select.value];
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    head.append(heading("image", -1));
    data.columns.forEach(([, title], column) => head.append(heading(title, column)));
    const body = table.createTBody();
    for (const index of sorted(group)) {
      const row = body.insertRow();
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = data.images[group.images[index]];
      row.append(name);
      if (group.errors[index] !== null) {
        const cell = row.insertCell();
        cell.colSpan = data.columns.length;
        cell.textContent = `failed: ${group.errors[index]}`;
        continue;
      }
      data.columns.forEach(([, , digits], column) => {
        const cell = row.insertCell();
        cell.className = "number";
        cell.textContent = shown(cellOf(group, column, index), digits);
      });
    }
    place.replaceChildren(table);
  }

  function heading(title, column) {
    const cell = document.createElement("th");
    cell.scope = "col";
    if (column >= 0) cell.className = "number";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = title;
    if (column === order.column) {
      cell.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      button.textContent += order.down ? " ↓" : " ↑";
    }
    button.addEventListener("click", () => {
      order.down = column === order.column && !order.down;
      order.column = column;
      draw();
      place.querySelectorAll("thead button")[column + 1].focus();
    });
    cell.append(button);
    return cell;
  }

  // Places in the group; what was not measured comes last in either direction.
  function sorted(group) {
    const places = group.images.map((_, index) => index);
    const sign = order.down ? -1 : 1;
    if (order.column < 0) {
      const name = (index) => data.images[group.images[index]];
      return places.sort((a, b) => sign * name(a).localeCompare(name(b)));
    }
    const value = (index) => {
      const cell = cellOf(group, order.column, index);
      return cell === "inf" ? Infinity : cell;
    };
    return places.sort((a, b) => {
      const one = value(a), other = value(b);
      if (one === null || other === null) return (one === null) - (other === null);
      return one === other ? 0 : sign * (one < other ? -1 : 1);
    });
  }

  // A column of which nothing was measured is null as a whole.
  function cellOf(group, column, index) {
    return group.values[column] === null ? null : group.values[column][index];
  }

  function shown(value, digits) {
    if (value === null) return "-";
    return value === "inf" ? "lossless" : value.toFixed(digits);
  }
})();
