"use strict";
const choice = document.getElementById("shown");
if (choice) {
  const count = document.getElementById("count");
  const replies = [...document.querySelectorAll(".reply")];
  const show = () => {
    for (const reply of replies) {
      reply.hidden = choice.value !== "" && !reply.classList.contains(choice.value);
    }
    count.textContent = `${replies.filter((reply) => !reply.hidden).length} of ${replies.length}`;
  };
  choice.addEventListener("change", show);
  document.querySelector(".tools").hidden = false;
  show();
}
