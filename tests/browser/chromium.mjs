// Unpacks the Chromium of @sparticuz/chromium beside the package and prints, as one line of JSON, where it is and which
// environment it needs. It brings its own libraries and a font, so a machine without any Debian package will do.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const home = join(dirname(fileURLToPath(import.meta.url)), "node_modules", ".chromium");
mkdirSync(home, { recursive: true });
process.env.TMPDIR = home; // the package unpacks into the temporary directory: this one goes away with node_modules

const { default: chromium, inflate } = await import("@sparticuz/chromium");
const packed = join(dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium"))), "..", "bin");
const executable = await chromium.executablePath();
const libraries = await inflate(join(packed, "al2023.tar.br"));
const fonts = join(home, "fonts");
writeFileSync(
  join(fonts, "fonts.conf"),
  `<?xml version="1.0"?><fontconfig><dir>${fonts}</dir><cachedir>${join(home, "font-cache")}</cachedir></fontconfig>`,
);

console.log(
  JSON.stringify({
    executable,
    env: { LD_LIBRARY_PATH: join(libraries, "lib"), FONTCONFIG_PATH: fonts, HOME: home },
  }),
);
