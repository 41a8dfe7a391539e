//! LRS's own schemas: `xmllint` validates whole messages against them, if their files are available.
//!
//! The files are not part of this project. `LRS_CONTRACT_DIR` names a directory with the published `wsdl/*.wsdl` and the older, strict
//! `xsd-miap/*.xsd`. A test extracts the schemas from them into a temporary directory.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use lrs_gateway::lrs::Service;
use lrs_gateway::lrs::soap::ENVELOPE;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, Writer};
use tempfile::TempDir;

const VARIABLE: &str = "LRS_CONTRACT_DIR";
const SERVICES: [Service; 3] = [Service::Learner, Service::LearnerR9, Service::External];
const STRICT: &str = "strict";
const EXCEPTIONS: &str = "http://api.lrs.miap.gov.uk/exceptions";
const NO_XMLLINT: &str = "LRS_CONTRACT_DIR is set, but xmllint is not installed: install the Debian package libxml2-utils";

/// Messages to validate, each with a name that is also a file name.
pub type Messages = [(String, String)];

/// LRS's schemas. Each set has its own directory.
pub struct Contract {
    directory: TempDir,
}

/// An invalid message, and the reasons of `xmllint`.
#[derive(Debug)]
pub struct InvalidMessage {
    pub name: String,
    pub reasons: String,
}

impl Contract {
    /// Reads the schemas in `LRS_CONTRACT_DIR`. If the variable is unset or empty (as the Makefile exports it without the files), prints
    /// that nothing is validated, and returns `None`.
    #[expect(clippy::print_stdout, reason = "a test that validates nothing should say so")]
    pub fn from_env() -> Option<Self> {
        let directory = std::env::var_os(VARIABLE).filter(|directory| !directory.is_empty());
        if directory.is_none() {
            println!("Not validated: {VARIABLE} does not name a directory with LRS's wsdl/*.wsdl and xsd-miap/*.xsd.");
        }
        directory.map(|directory| Self::read(Path::new(&directory)))
    }

    fn read(source: &Path) -> Self {
        let contract = Self { directory: TempDir::new().expect("a temporary directory is created") };
        let strict = schemas_of(&files(&source.join("xsd-miap"), "xsd"));
        for service in SERVICES {
            let mut published = schemas_of(&[source.join("wsdl").join(format!("{}.wsdl", name_of(service)))]);
            // In the WSDL of the learner service, the children of a fault's detail are qualified. LRS sends them unqualified
            // (LRS-CONTRACT 8.2), as in its older schema, and so does the simulator. So the older schema replaces that of the WSDL.
            if let (Some(published), Some(sent)) = (published.get_mut(EXCEPTIONS), strict.get(EXCEPTIONS)) {
                published.clone_from(sent);
            }
            contract.write_schemas(name_of(service), &published);
        }
        contract.write_schemas(STRICT, &strict);
        contract
    }

    /// Asserts that requests are valid by the WSDL and, if LRS has strict schemas for the service, by those.
    pub fn check_request(&self, service: Service, requests: &Messages) {
        assert_all_valid(&self.wsdl_violations(service, requests));
        if service == Service::Learner {
            assert_all_valid(&self.strict_schema_violations(requests));
        }
    }

    /// Asserts that responses and faults are valid by the WSDL. The strict schemas are wrong about responses (LRS-CONTRACT 8.3).
    pub fn check_response(&self, service: Service, responses: &Messages) {
        assert_all_valid(&self.wsdl_violations(service, responses));
    }

    /// Returns the messages that are invalid by the WSDL of a service.
    pub fn wsdl_violations(&self, service: Service, messages: &Messages) -> Vec<InvalidMessage> {
        self.invalid_messages(name_of(service), messages)
    }

    /// Returns the requests to the learner service that are invalid by its older, strict schemas.
    pub fn strict_schema_violations(&self, requests: &Messages) -> Vec<InvalidMessage> {
        self.invalid_messages(STRICT, requests)
    }

    /// Writes a set of schemas that import each other, adds a schema of the SOAP envelope, and asserts that xmllint accepts the set.
    fn write_schemas(&self, set: &str, schemas: &BTreeMap<String, String>) {
        let directory = self.directory.path().join(set);
        write(&directory.join("envelope.xsd"), &envelope_schema(schemas.keys()));
        for (namespace, schema) in schemas {
            write(&directory.join(file_of(namespace)), schema);
        }
        let fault = "<s:Fault><faultcode>s:Server</faultcode><faultstring/></s:Fault>";
        let bare = format!("<s:Envelope xmlns:s='{ENVELOPE}'><s:Body>{fault}</s:Body></s:Envelope>");
        if let [invalid] = &self.invalid_messages(set, &[("bare-fault".to_owned(), bare)])[..] {
            panic!("The schemas of {set} cannot be used:\n{}", invalid.reasons);
        }
    }

    /// Validates all messages in one call of xmllint, which then reads the schemas only once.
    fn invalid_messages(&self, set: &str, messages: &Messages) -> Vec<InvalidMessage> {
        let paths: Vec<String> = messages.iter().map(|(name, _)| format!("messages/{name}.xml")).collect();
        for ((_, xml), path) in messages.iter().zip(&paths) {
            write(&self.directory.path().join(path), xml);
        }
        let mut xmllint = Command::new("xmllint");
        xmllint.current_dir(self.directory.path()).args(["--nonet", "--noout", "--schema"]).arg(format!("{set}/envelope.xsd"));
        let output = xmllint.args(&paths).output().unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => panic!("{NO_XMLLINT}"),
            _ => panic!("xmllint: {error}"),
        });
        let stderr = String::from_utf8_lossy(&output.stderr);
        let is_valid = |path: &str| stderr.lines().any(|line| line == format!("{path} validates"));
        let invalid = messages.iter().zip(&paths).filter(|(_, path)| !is_valid(path));
        let invalid: Vec<InvalidMessage> =
            invalid.map(|((name, xml), path)| InvalidMessage { name: name.clone(), reasons: reasons(&stderr, path, xml) }).collect();
        assert_eq!(output.status.success(), invalid.is_empty(), "xmllint: {}: {stderr}", output.status);
        invalid
    }
}

/// Returns the lines of xmllint about one message, with the message. If there are none, a schema is invalid: then returns all lines.
fn reasons(stderr: &str, path: &str, xml: &str) -> String {
    let lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with(&format!("{path}:"))).collect();
    if lines.is_empty() { stderr.to_owned() } else { format!("{}\n{xml}", lines.join("\n")) }
}

fn assert_all_valid(invalid: &[InvalidMessage]) {
    let list: Vec<String> = invalid.iter().map(|message| format!("{} is not valid:\n{}", message.name, message.reasons)).collect();
    assert!(list.is_empty(), "{}", list.join("\n\n"));
}

/// Returns the name of a service's WSDL file without the extension: `LearnerService` for `/LearnerService.svc`.
fn name_of(service: Service) -> &'static str {
    service.path().trim_start_matches('/').trim_end_matches(".svc")
}

fn write(path: &Path, text: &str) {
    let directory = path.parent().expect("the file is in a directory");
    std::fs::create_dir_all(directory).and_then(|()| std::fs::write(path, text)).expect("the file is written");
}

/// Returns the files of a directory with this extension.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let unreadable = |error| -> ! { panic!("{VARIABLE}: {}: {error}", directory.display()) };
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| unreadable(error));
    let paths = entries.map(|entry| entry.unwrap_or_else(|error| unreadable(error)).path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// Returns all schemas in these files, by namespace.
fn schemas_of(files: &[PathBuf]) -> BTreeMap<String, String> {
    let mut schemas = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{VARIABLE}: {}: {error}", file.display()));
        for (namespace, schema) in schemas_in(&text) {
            assert!(schemas.insert(namespace, schema).is_none(), "{}: two schemas have the same namespace", file.display());
        }
    }
    assert!(!schemas.is_empty(), "{VARIABLE}: no schema in {files:?}");
    schemas
}

/// Returns the schemas in a WSDL or XSD file as separate documents. Their imports name the file of the other namespace.
fn schemas_in(text: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    // The namespaces that the enclosing elements declare, and the schema that is being copied.
    let (mut schemas, mut outer_namespaces, mut current) = (Vec::new(), Vec::new(), None);
    loop {
        let event = match reader.read_event().expect("well-formed XML") {
            Event::Eof => return schemas,
            Event::Start(tag) if matches!(tag.local_name().as_ref(), "definitions" | "types") => {
                outer_namespaces.extend(attributes(&tag).into_iter().filter(|(name, _)| name.starts_with("xmlns")));
                continue;
            }
            Event::Start(tag) if tag.local_name().as_ref() == "schema" => {
                current = Some((attribute(&tag, "targetNamespace"), Writer::new(Vec::new())));
                let own = attributes(&tag);
                let inherited = outer_namespaces.iter().filter(|(name, _)| own.iter().all(|(own_name, _)| own_name != name));
                Event::Start(tag.with_attributes(inherited.map(|(name, value)| (name.as_str(), value.as_str()))))
            }
            Event::Start(tag) if tag.local_name().as_ref() == "import" => {
                let namespace = attribute(&tag, "namespace");
                let import = BytesStart::new(tag.name().0.to_owned());
                Event::Start(import.with_attributes([("namespace", &*namespace), ("schemaLocation", &*file_of(&namespace))]))
            }
            event => event,
        };
        let Some((namespace, writer)) = &mut current else { continue };
        let is_end = matches!(&event, Event::End(tag) if tag.local_name().as_ref() == "schema");
        writer.write_event(event).expect("writing to memory does not fail");
        if is_end {
            let schema = String::from_utf8(std::mem::take(writer.get_mut())).expect("XML is UTF-8");
            schemas.push((std::mem::take(namespace), schema));
            current = None;
        }
    }
}

fn attributes(tag: &BytesStart<'_>) -> Vec<(String, String)> {
    let attributes = tag.attributes().map(|attribute| attribute.expect("well-formed XML"));
    attributes.map(|attribute| (attribute.key.0.to_owned(), attribute.value.into_owned())).collect()
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> String {
    let attribute = attributes(tag).into_iter().find(|(key, _)| key == name);
    attribute.unwrap_or_else(|| panic!("<{}> has no attribute {name}", tag.name().0)).1
}

/// Returns the name of the file of a namespace's schema.
fn file_of(namespace: &str) -> String {
    namespace.replace(|c: char| !c.is_ascii_alphanumeric(), "-") + ".xsd"
}

/// Returns a schema of the SOAP 1.1 envelope: one known element in the body, or a fault. A fault's detail is validated as far as its
/// elements are known.
fn envelope_schema<'n>(namespaces: impl Iterator<Item = &'n String>) -> String {
    let imports = namespaces.map(|namespace| format!("<xs:import namespace='{namespace}' schemaLocation='{}'/>", file_of(namespace)));
    let imports: String = imports.collect();
    format!(
        "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns:s='{ENVELOPE}' targetNamespace='{ENVELOPE}'>{imports}
  <xs:complexType name='Anything'>
    <xs:sequence><xs:any minOccurs='0' maxOccurs='unbounded' processContents='lax'/></xs:sequence>
  </xs:complexType>
  <xs:element name='Header' type='s:Anything'/>
  <xs:element name='Body'>
    <xs:complexType><xs:sequence><xs:any processContents='strict'/></xs:sequence></xs:complexType>
  </xs:element>
  <xs:element name='Envelope'>
    <xs:complexType><xs:sequence><xs:element ref='s:Header' minOccurs='0'/><xs:element ref='s:Body'/></xs:sequence></xs:complexType>
  </xs:element>
  <xs:element name='Fault'>
    <xs:complexType>
      <xs:sequence>
        <xs:element name='faultcode' type='xs:QName'/>
        <xs:element name='faultstring'>
          <xs:complexType>
            <xs:simpleContent>
              <xs:extension base='xs:string'><xs:anyAttribute processContents='skip'/></xs:extension>
            </xs:simpleContent>
          </xs:complexType>
        </xs:element>
        <xs:element name='faultactor' type='xs:anyURI' minOccurs='0'/>
        <xs:element name='detail' type='s:Anything' minOccurs='0'/>
      </xs:sequence>
    </xs:complexType>
  </xs:element>
</xs:schema>"
    )
}
