-- What is attached?  mail.files tells what the files really are and what lies in them; `postern doc rules` lists the signs.

-- The first of these signs with its detail: "a Windows program: setup.exe".
local function first_of(signs, words)
  for _, word in ipairs(words) do
    local detail = signs[word[1]]
    if detail then return detail == "" and word[2] or word[2] .. ": " .. detail end
  end
end

local disguises = {
  { "disguised_program", "a program that pretends to be something else" },
  { "bidi_name", "a file name that is turned round by invisible characters" },
  { "clsid_extension", "a file name whose real extension is hidden" },
  { "zip_confusion", "an archive that different programs read differently" },
}

rule "disguised-file" {
  on    = "message",
  about = "A file that hides what it is has no honest reason to.",
  check = function(mail)
    local what = first_of(mail.files.signs, disguises)
    if what then return quarantine(what, "policy") end
  end,
}

test "a program that calls itself an invoice is held" {
  given = { files = { { name = "invoice.pdf", kind = "windows_program", signs = "disguised_program" } } },
  want  = { verdict = "quarantine", class = "policy", rule = "disguised-file" },
}

local programs = {
  { "program", "a program" }, { "script", "a script" }, { "shortcut", "a shortcut that starts something" }, { "installer", "an installer" },
  { "program_in_archive", "a program in an archive" }, { "dangerous_in_archive", "a dangerous file in an archive" },
  { "embedded_program", "a program in a document" },
}

rule "programs-inside" {
  on    = "message",
  about = "Programs by their octets, whatever they are called, and inside of archives and documents; who expects one releases it.",
  check = function(mail)
    local what = first_of(mail.files.signs, programs)
    if what then return quarantine(what, "policy") end
  end,
}

test "a script in an archive is held" {
  given = { files = { { name = "scan.zip", kind = "zip", signs = { "dangerous_in_archive" }, inside = "scan.js" } } },
  want  = { verdict = "quarantine", class = "policy", rule = "programs-inside" },
}

test "a picture and a PDF pass" {
  given = { files = { { name = "photo.jpg", kind = "jpeg" }, { name = "offer.pdf", kind = "pdf" } } },
  want  = { verdict = "none" },
}

local attacks = {
  { "archive_bomb", "an archive that unpacks without end" }, { "quine", "an archive that contains itself" },
  { "path_traversal", "an archive that writes outside of its folder" }, { "html_smuggling", "a page that builds a file and saves it" },
  { "equation_editor", "an object of the old equation editor" }, { "excel4_macro", "a macro of Excel 4" },
  { "pdf_launch", "a PDF that starts a program" }, { "rtf_object_update", "an RTF object that loads itself" },
}

rule "attacks" {
  on    = "message",
  about = "Constructions that only attacks use.",
  check = function(mail)
    local what = first_of(mail.files.signs, attacks)
    if what then return quarantine(what, "policy") end
  end,
}

test "a page that smuggles a file is held" {
  given = { files = { { name = "voice.html", kind = "html", signs = { "html_smuggling", "html_blob" } } } },
  want  = { verdict = "quarantine", rule = "attacks" },
}

rule "macros" {
  on    = "message",
  about = "Macros that run by themselves cost points; those that also reach out are held.",
  check = function(mail)
    local signs = mail.files.signs
    if signs.auto_macro and signs.suspicious_macro then return quarantine("a macro that runs by itself and does more than a document needs: " .. signs.auto_macro, "policy") end
    if signs.auto_macro then return score(3, "a macro that runs by itself: " .. signs.auto_macro) end
    if signs.macro_without_source then return score(3, "a macro whose source was taken out") end
  end,
}

test "a macro that runs by itself costs points" {
  given = { files = { { name = "order.docm", kind = "word_xml", signs = { "macro", "auto_macro" } } } },
  want  = { rule = "macros", score = 3 },
}

test "one that also starts programs is held" {
  given = { files = { { name = "order.docm", kind = "word_xml", signs = { "macro", "auto_macro", "suspicious_macro" } } } },
  want  = { verdict = "quarantine", rule = "macros" },
}

test "a macro that waits for a button passes" {
  given = { files = { { name = "sheet.xlsm", kind = "excel_xml", signs = { "macro" } } } },
  want  = { verdict = "none" },
}

local reaching = {
  { "external_template", "a document that loads its template from elsewhere", 3 }, { "rtf_template", "an RTF text that loads its template from elsewhere", 3 },
  { "dde", "a document that starts another program by DDE", 4 }, { "formula_in_text", "a table whose cell starts a program", 3 },
  { "html_password_form", "an attached page that asks for a password", 4 }, { "html_redirect", "an attached page that goes elsewhere by itself", 2 },
  { "svg_script", "an image with a script", 3 }, { "onenote_file", "a OneNote section with a file inside", 3 },
  { "disk_image", "the image of a disk", 2.5 }, { "query_file", "a query that loads data from elsewhere", 3 },
}

rule "reaching-out" {
  on    = "message",
  about = "Attachments that fetch or start something when they are opened.",
  check = function(mail)
    local signs, points, why = mail.files.signs, 0, {}
    for _, entry in ipairs(reaching) do
      if signs[entry[1]] then
        points = points + entry[3]
        why[#why + 1] = entry[2]
      end
    end
    if points > 0 then return score(math.min(points, 6), table.concat(why, ", ")) end
  end,
}

test "a login page as an attachment costs points" {
  given = { files = { { name = "account.html", kind = "html", signs = { "html_password_form", "html_form" } } } },
  want  = { rule = "reaching-out", score = 4 },
}

test "several of them have an upper limit" {
  given = { files = { { name = "a.svg", kind = "svg", signs = { "svg_script", "html_redirect", "html_password_form" } } } },
  want  = { rule = "reaching-out", score = 6 },
}

rule "locked-archive" {
  on    = "message",
  about = "An archive with a password cannot be looked into; that costs points, more if even the names are hidden.",
  check = function(mail)
    local signs = mail.files.signs
    if signs.encrypted_names then return score(3, "an archive that hides even its names") end
    if signs.encrypted_archive then return score(1.5, "an archive with a password") end
  end,
}

test "an archive with a password costs points" {
  given = { files = { { name = "docs.zip", kind = "zip", signs = { "encrypted_archive" }, problem = "it has a password" } } },
  want  = { rule = "locked-archive", score = 1.5 },
}
