// The look of <handrail-chat>. A site sets the first block's properties on the element to make it its own.

export const style = new CSSStyleSheet();

style.replaceSync(`
  :host {
    --accent: var(--handrail-accent, #0b6b57);
    --on-accent: var(--handrail-on-accent, #ffffff);
    --banner: var(--handrail-banner, #0b6b57);
    --on-banner: var(--handrail-on-banner, #ffffff);
    --background: var(--handrail-background, #ffffff);
    --surface: var(--handrail-surface, #f0f4f2);
    --text: var(--handrail-text, #1b2623);
    --quiet: var(--handrail-quiet, #55635e);
    --line: var(--handrail-line, #d5dedb);
    --person: var(--handrail-person, #6a3fa0);
    --person-surface: var(--handrail-person-surface, #f4effa);
    --problem: var(--handrail-problem, #a3261d);
    --radius: var(--handrail-radius, 14px);
    --inset: var(--handrail-inset, 20px);
    font: 15px/1.5 var(--handrail-font, system-ui, -apple-system, "Segoe UI", "Open Sans", sans-serif);
    color-scheme: light dark;
  }
  @media (prefers-color-scheme: dark) {
    :host {
      --accent: var(--handrail-accent, #6fd3b8);
      --on-accent: var(--handrail-on-accent, #06231c);
      --banner: var(--handrail-banner, #14473b);
      --background: var(--handrail-background, #161d1b);
      --surface: var(--handrail-surface, #232d2a);
      --text: var(--handrail-text, #e7eeeb);
      --quiet: var(--handrail-quiet, #a4b3ad);
      --line: var(--handrail-line, #35423e);
      --person: var(--handrail-person, #cdb2f2);
      --person-surface: var(--handrail-person-surface, #2b2438);
      --problem: var(--handrail-problem, #ffa79e);
    }
  }
  * {
    box-sizing: border-box;
    margin: 0;
  }
  [hidden] {
    display: none !important;
  }
  button,
  textarea {
    font: inherit;
    color: inherit;
  }
  button {
    cursor: pointer;
  }
  :focus-visible {
    outline: 3px solid var(--accent);
    outline-offset: 2px;
  }
  .icon {
    width: 1.35em;
    height: 1.35em;
    fill: none;
    stroke: currentColor;
    stroke-width: 1.9;
    stroke-linecap: round;
    stroke-linejoin: round;
    flex: none;
  }
  .unseen {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  .launcher,
  .panel {
    position: fixed;
    right: var(--inset);
    bottom: var(--inset);
    z-index: var(--handrail-layer, 2147483000);
  }
  .launcher {
    display: flex;
    align-items: center;
    gap: 8px;
    padding: 13px 20px;
    border: 0;
    border-radius: 999px;
    background: var(--accent);
    color: var(--on-accent);
    font-weight: 600;
    box-shadow: 0 4px 18px rgb(0 0 0 / 0.22);
  }
  .launcher:focus-visible {
    outline-color: var(--text);
  }
  .unread {
    min-width: 22px;
    padding: 0 6px;
    border-radius: 999px;
    background: var(--on-accent);
    color: var(--accent);
    font-size: 13px;
    line-height: 22px;
  }

  .panel {
    display: flex;
    flex-direction: column;
    width: 400px;
    height: min(660px, calc(100dvh - 2 * var(--inset)));
    background: var(--background);
    color: var(--text);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    box-shadow: 0 12px 48px rgb(0 0 0 / 0.25);
    overflow: hidden;
  }
  .head {
    display: flex;
    gap: 12px;
    align-items: flex-start;
    padding: 14px 10px 14px 18px;
    background: var(--banner);
    color: var(--on-banner);
  }
  .head div {
    flex: 1;
    min-width: 0;
  }
  h2 {
    font-size: 17px;
    line-height: 1.3;
  }
  .standing {
    font-size: 13px;
    line-height: 1.4;
  }
  .close {
    border: 0;
    padding: 8px;
    border-radius: 8px;
    background: none;
    line-height: 0;
  }
  .close:focus-visible {
    outline-color: var(--on-banner);
    outline-offset: -2px;
  }

  .log {
    position: relative;
    flex: 1;
    min-height: 0;
    overflow-y: auto;
    padding: 16px;
    display: flex;
    flex-direction: column;
    gap: 12px;
    overscroll-behavior: contain;
  }
  .log:focus-visible {
    outline-offset: -3px;
  }
  .welcome {
    color: var(--quiet);
    padding: 0 2px;
  }
  .message {
    display: flex;
    flex-direction: column;
    max-width: 88%;
    align-self: flex-start;
    overflow-wrap: anywhere;
  }
  .message.customer {
    align-self: flex-end;
    align-items: flex-end;
  }
  .speaker {
    display: flex;
    align-items: center;
    gap: 5px;
    font-size: 12.5px;
    font-weight: 600;
    color: var(--quiet);
    margin: 0 0 3px 2px;
  }
  .bubble {
    padding: 9px 14px;
    border-radius: var(--radius);
    border-top-left-radius: 4px;
    background: var(--surface);
  }
  .customer .bubble {
    background: var(--banner);
    color: var(--on-banner);
    border-top-left-radius: var(--radius);
    border-bottom-right-radius: 4px;
  }
  .representative .speaker {
    color: var(--person);
  }
  .representative .bubble {
    background: var(--person-surface);
    border-left: 3px solid var(--person);
    border-bottom-left-radius: 4px;
  }
  .bubble > * + * {
    margin-top: 8px;
  }
  .bubble ul,
  .bubble ol {
    padding-left: 20px;
  }
  .bubble a {
    color: inherit;
    text-decoration: underline;
  }
  .unsent .bubble {
    opacity: 0.75;
  }
  .failed .bubble {
    opacity: 1;
    background: none;
    color: var(--text);
    border: 1px solid var(--problem);
  }
  .delivery {
    font-size: 12.5px;
    color: var(--quiet);
    margin-top: 3px;
  }
  .delivery:empty {
    display: none;
  }
  .failed .delivery {
    color: var(--problem);
  }
  .delivery button {
    border: 0;
    background: none;
    padding: 0;
    color: inherit;
    font-weight: 600;
    text-decoration: underline;
  }
  time {
    font-size: 12px;
    color: var(--quiet);
    margin: 3px 2px 0;
  }
  .sources {
    font-size: 12.5px;
    color: var(--quiet);
    margin: 6px 2px 0;
    display: flex;
    gap: 6px;
  }
  .sources span {
    flex: none;
    font-weight: 600;
  }
  .sources ul {
    list-style: none;
    padding: 0;
  }
  .sources a {
    color: inherit;
  }
  .notice {
    align-self: stretch;
    text-align: center;
    font-size: 13.5px;
    color: var(--quiet);
    padding: 8px 12px;
    border-block: 1px solid var(--line);
  }
  .notice.open,
  .notice.joined {
    color: var(--text);
    border: 1px solid var(--person);
    border-radius: var(--radius);
    background: var(--person-surface);
  }

  .status {
    min-height: 26px;
    padding: 2px 18px;
    font-size: 13px;
    color: var(--quiet);
  }
  .status.working::before {
    content: "";
    display: inline-block;
    width: 9px;
    height: 9px;
    margin-right: 8px;
    border-radius: 50%;
    background: var(--accent);
    animation: breathe 1.1s ease-in-out infinite;
  }
  @keyframes breathe {
    50% {
      opacity: 0.25;
      transform: scale(0.75);
    }
  }
  .choices {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 8px;
    padding: 0 16px 10px;
  }
  .choices:empty {
    display: none;
  }
  .choices button {
    padding: 7px 16px;
    border: 1px solid var(--accent);
    border-radius: 999px;
    background: none;
    color: var(--accent);
    font-weight: 600;
  }
  .choices .yes {
    background: var(--accent);
    color: var(--on-accent);
  }

  .composer {
    display: flex;
    align-items: flex-end;
    gap: 8px;
    padding: 10px 12px 8px;
    border-top: 1px solid var(--line);
  }
  textarea {
    flex: 1;
    min-width: 0;
    resize: none;
    padding: 9px 12px;
    border: 1px solid var(--quiet);
    border-radius: 12px;
    background: var(--background);
  }
  textarea::placeholder {
    color: var(--quiet);
    opacity: 1;
  }
  textarea:focus-visible {
    outline-width: 2px;
    outline-offset: 0;
  }
  .send {
    border: 0;
    padding: 10px;
    border-radius: 50%;
    background: var(--accent);
    color: var(--on-accent);
    line-height: 0;
    margin-bottom: 1px;
  }
  .foot {
    padding: 0 12px 10px;
  }
  .person {
    display: flex;
    align-items: center;
    gap: 6px;
    border: 0;
    padding: 5px 6px;
    border-radius: 8px;
    background: none;
    color: var(--accent);
    font-size: 14px;
    font-weight: 600;
  }

  @media (max-width: 480px) {
    .panel {
      inset: 0;
      width: auto;
      height: auto;
      border: 0;
      border-radius: 0;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    * {
      animation: none !important;
      transition: none !important;
    }
  }
  @media (forced-colors: active) {
    .launcher,
    .send,
    .choices button {
      border: 1px solid;
    }
  }
`);
