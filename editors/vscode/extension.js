// Starts the language server of meshc, and starts it anew when its settings change.
"use strict";

const path = require("node:path");
const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

/** @type {LanguageClient | undefined} */
let client;

/** Where relative paths count from. */
function firstFolder() {
  return vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
}

function command() {
  const written = vscode.workspace.getConfiguration("meshc").get("path", "meshc");
  const folder = firstFolder();
  // A bare word is looked for where programs are; a path with a folder in it counts from the workspace.
  return folder && /[\\/]/.test(written) && !path.isAbsolute(written) ? path.join(folder, written) : written;
}

async function start() {
  const run = { command: command(), args: ["lsp"], options: { cwd: firstFolder() } };
  client = new LanguageClient(
    "meshc",
    "meshc",
    { run, debug: run },
    {
      documentSelector: [
        { scheme: "file", language: "mesh" },
        { scheme: "untitled", language: "mesh" },
      ],
      initializationOptions: { programs: vscode.workspace.getConfiguration("meshc").get("programs", []) },
    },
  );
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    const install = "Install it: pip install 'meshc[lsp]', and set meshc.path if it is not on the PATH.";
    vscode.window.showErrorMessage(`The language server of meshc does not start (${error}). ${install}`);
  }
}

async function stop() {
  const running = client;
  client = undefined;
  await running?.stop();
}

exports.activate = async (context) => {
  context.subscriptions.push(
    vscode.commands.registerCommand("meshc.restart", async () => {
      await stop();
      await start();
    }),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration("meshc.path") || change.affectsConfiguration("meshc.programs")) {
        await stop();
        await start();
      }
    }),
  );
  await start();
};

exports.deactivate = stop;
