// Unpacks the Chromium of @sparticuz/chromium and prints, as one line of JSON, where it is and how to start it.
import chromium from "@sparticuz/chromium";

const executable = await chromium.executablePath();
console.log(JSON.stringify({ executable, args: chromium.args, libraries: process.env.LD_LIBRARY_PATH ?? "" }));
