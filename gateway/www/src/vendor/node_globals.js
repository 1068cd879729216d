// What MQTT.js expects to be there, as it is in Node. Imported before it.
import {Buffer} from "buffer/";
import process from "process/browser.js";

globalThis.global = globalThis;
globalThis.Buffer = Buffer;
globalThis.process = process;
